/* SPDX-License-Identifier: MIT
 * What was seen of tasks, for programs. */
#ifndef WEFT_TOOLS_JSON_H
#define WEFT_TOOLS_JSON_H

#include "tools/weft/look.h"

/* Prints one JSON object for a process.  An exit status. */
int json_print_look(struct look *look);

/* A JSON array of processes: begun (NULL: this command was built without JSON, which it says),
 * filled and printed. */
struct json_list;
struct json_list *json_list_new(void);
void json_list_add(struct json_list *list, const struct look *look, const char *command);
void json_list_print(struct json_list *list);

#endif
