# SPDX-License-Identifier: MIT
"""Reads the public headers as a manual: what each declares, and the comment above it.

A header has an introduction, its first comment, and groups: a comment and the declarations that
follow it without an empty line between.  Nothing is known of C beyond where a declaration ends, so
headers keep to the form that CONTRIBUTING.md gives.
"""
import errno
import glob
import os
import re
from dataclasses import dataclass, field

NAME = r'(?:weft|WEFT)_(?!_)\w+'
NOT_LISTED = ('inline', 'common')  # headers that nobody looks for


@dataclass
class Declaration:
    kind: str  # function, inline, variable, macro, struct, enum, type
    name: str
    text: str  # as it stands in the header
    members: list = field(default_factory=list)  # the constants of an enum


@dataclass
class Block:
    kind: str  # text, parameters, list, errors, code
    content: object  # a string; for parameters, lists and errors, pairs of a term and its text


@dataclass
class Group:
    header: 'Header'
    line: int
    comment: str  # without its stars; '' for none
    is_manual: bool  # it began with /**
    declarations: list

    @property
    def names(self):
        return [d.name for d in self.declarations]

    @property
    def blocks(self):
        parameters = set()
        for d in self.declarations:
            parameters |= set(re.findall(r'\w+', d.text[d.text.find('('):])) if '(' in d.text else set()
        return blocks_of(self.comment, parameters)


@dataclass
class Header:
    path: str
    name: str  # "queue" for weft/queue.h
    intro: str
    groups: list

    @property
    def title(self):
        """The first sentence of the introduction."""
        words = ' '.join(self.intro.split('\n\n')[0].split())
        return re.split(r'(?<=\.)\s+(?=[A-Z_`])', words)[0].rstrip('.:')


def paths(root):
    """The public headers of a tree."""
    return sorted(glob.glob(f'{root}/core/include/weft/*.h'))


def sections(index, link):
    """The rows of the tables of docs/README.md whose links match, by the heading above them."""
    found, heading = {}, ''
    for line in index.split('\n'):
        if line.startswith('##'):
            heading = line.lstrip('# ')
        elif m := re.match(rf'\| \[[\w.]+\]\({link}\) \|', line):
            found.setdefault(heading, []).append(m.group(1))
    return found


def sentences(text):
    return re.split(r'(?<=[.:])\s+(?=[A-Z_`])', text)


def strip_comment(lines):
    """The words of a comment, without its frame and common indentation."""
    text = '\n'.join(lines)
    text = re.sub(r'^/\*+ ?', '', text.strip())
    text = re.sub(r'\s*\*+/$', '', text)
    lines = [re.sub(r'^\s*\* ?', '', line).rstrip() for line in text.split('\n')]
    lines = [line for line in lines if not line.startswith('SPDX-License-Identifier')]
    indents = [len(l) - len(l.lstrip()) for l in lines[1:] if l.strip()]
    common = min(indents, default=0)
    return '\n'.join([lines[0].strip()] + [l[common:] for l in lines[1:]]).strip('\n')


def blocks_of(comment, parameters=frozenset()):
    """Splits a comment into paragraphs, lists of parameters, other lists and code."""
    blocks = []
    for line in comment.split('\n'):
        last = blocks[-1] if blocks else None
        indent = len(line) - len(line.lstrip())
        term = re.match(r'(\w+(?:, \w+)*) {2,}(\S.*)', line)
        item = re.match(r' *- +(\S.*)', line)
        if not line.strip():
            if last and last.kind == 'code':
                last.content += '\n'
            else:
                blocks.append(None)
        elif last and last.kind in ('parameters', 'list') and indent and not item:
            name, text = last.content[-1]
            last.content[-1] = (name, text + ' ' + line.strip())
        elif indent >= 4 and (not last or last.kind in ('code', 'text')):
            if not last or last.kind == 'text':
                blocks.append(Block('code', ''))
            blocks[-1].content += line[4:] + '\n'
        elif item:
            if not last or last.kind != 'list':
                blocks.append(Block('list', []))
            blocks[-1].content.append(('', item.group(1)))
        elif term and set(term.group(1).split(', ')) <= parameters and (
                not last or last.kind == 'parameters'):
            if not last:
                blocks.append(Block('parameters', []))
            blocks[-1].content.append((term.group(1), term.group(2)))
        elif last and last.kind == 'text':
            last.content += ' ' + line.strip()
        else:
            blocks.append(Block('text', line.strip()))
    return join(blocks)


def join(blocks):
    """Drops the marks of empty lines, and joins code and lists that one had split."""
    whole = []
    for block in blocks:
        if not block:
            continue
        block = Block(block.kind, block.content)
        if block.kind == 'code':
            block.content = block.content.rstrip('\n') + '\n'
        if whole and block.kind != 'text' and whole[-1].kind == block.kind:
            whole[-1].content += '\n' + block.content if block.kind == 'code' else block.content
        else:
            whole.append(block)
    return whole


ERROR = r'-E[A-Z0-9]{2,}'
NOTE = (r'(?:A cancellation point|Not a? ?cancellation point|None is a cancellation|Any thread|Cost: |'
        r"The loop's thread|A wait that (?:protects|a cancel)|With `\w+` a canc|They run when|"
        r'The task runs when|On the host|In the thread of|Never waits|Reading the file may)')
NOTES = re.compile(rf'(?<=[.)])\s+(?={NOTE})')


def outside(text):
    """Where brackets are not open: the depth at each character."""
    depth, depths = 0, []
    for c in text:
        depth += (c == '(') - (c == ')')
        depths.append(depth)
    return depths


def error_item(piece, rest):
    """A piece of "-EBUSY another task reads, -ENOMEM" as a pair; adds to `rest` what is about others.
    None for what is said in another form."""
    name, text = re.match(rf'({ERROR})(.*)$', piece, re.S).groups()
    behind = re.match(r'\.\s+(\S.*)', text, re.S)  # a sentence about something else
    text = text.strip() if text.strip().startswith('...') else text.strip(' .;,')
    if like := re.match(r'(?:and|or) the like[:,]? ?(?!$)', text):
        name, text = f'{name} ...', text[like.end():]
    first, *more = ['', behind.group(1)] if behind else re.split(r'(?<=[.)])\s+(?=[A-Z`])', text, maxsplit=1)
    other = re.search(r'(?:^|[,;:] )(?:and |or |else )*(?:and the like$|'
                      r'(?:as|what) (?:weft_|the |that|above|for|it|ended|broke).*$)|'
                      r'^(?:or the like|and the like|\.\.\.)$|^(?:[,;] )?or .*$|^; (?!and ).*$', first, re.S)
    if other:
        words = re.sub(r'^[,;:. ]*(?:and |or |else )*', '', other.group())
        first = first[:other.start()]
        rest.append('And the like.' if words in ('the like', '') else f'Else {words.rstrip(".")}.')
    rest += [m.rstrip('.') + '.' for m in more]
    flat = re.sub(r'\([^()]*\)', '', ' '.join([first, *rest]))
    return None if re.search(ERROR, flat) else (name, first.strip(' .,;:'))


def errors_of(text):
    """"Returns 0; -EBUSY another task reads, -ENOMEM." as what stands before the errors, the errors
    as pairs, and sentences about all of them.  None where it is said in another form."""
    text = re.sub(rf'^Returns (?={ERROR})', 'Returns, ', text)
    depths, cuts = outside(text), []
    for m in re.finditer(rf'[,;.] +(?:or |and )?(?={ERROR})', text):
        if depths[m.start()] == 0:
            cuts.append(m)
    if not cuts:
        return None
    head = text[:cuts[0].start()]
    if re.search(ERROR, re.sub(r'\([^()]*\)', '', head)):
        return None
    ends = [m.start() for m in cuts[1:]] + [len(text)]
    items, rest = [], []
    for cut, end in zip(cuts, ends):
        items.append(error_item(text[cut.end():end], rest))
    return None if None in items else (head, items, list(dict.fromkeys(rest)))


def meaning(name, words, known):
    """What an error means, as a sentence: by the words that a comment has for it, or in general."""
    name = name.split(' ')[0].rstrip(',')
    general = known.get(name) or os.strerror(getattr(errno, name[1:], 0)).lower()
    words = 'the backend is `sim`' if words == '(sim)' else words
    if re.match(r'and |also |too$', words):
        words = f'{general}; {words}'
    elif words.startswith('(') and words.endswith(')') and 0 not in outside(words)[:-1]:
        words = words[1:-1]
    words = words or general
    plain = re.match(r'[a-z]+\b(?![_(.])', words)
    return (words[:1].upper() + words[1:] if plain else words).rstrip('.') + '.'


def general_errors(read):
    """What weft means by its errors everywhere: the table at the head of error.h, but for those that
    mean another thing where files are."""
    table = ''.join(h.intro for h in read if h.name == 'error')
    rows = re.findall(rf'^ +({ERROR}) +(.*(?:\n {{10,}}\S.*)*)', table, flags=re.M)
    return {name: ' '.join(words.split()).split('; another')[0] for name, words in rows
            if name not in ('-EBUSY', '-ENOENT', '-EAGAIN', '-EPROTO', '-ENOSPC', '-EINTR', '-E2BIG')}


def of_files(header):
    """Whether the errors of a header are rather the system's."""
    return header.name in ('file', 'path', 'dir', 'whole_file', 'copy', 'temp', 'lines', 'notify', 'io',
                           'process', 'terminal', 'address')


def has_common_errors(header):
    """Whether the introduction says what all calls of a header may return."""
    return header.name != 'error' and bool(
        re.search(rf'\b[Cc]alls?\b[^.]* returns?\b[^.]*{ERROR}', header.intro))


def errors_for(header, read):
    """What errors mean in a header where its comments have no words for them."""
    known = general_errors(read)
    if of_files(header):
        return {e: known[e] for e in ('-ECANCELED', '-EINVAL', '-ENOMEM', '-EMFILE') if e in known}
    return known


def error_rows(code):
    """A table of errors and their words as pairs, or None for other code."""
    rows = []
    for line in code.rstrip('\n').split('\n'):
        if m := re.match(rf'({ERROR}(?:, {ERROR})*) +(\S.*)', line):
            rows.append((m.group(1), m.group(2)))
        elif rows and line.startswith(' '):
            rows[-1] = (rows[-1][0], f'{rows[-1][1]} {line.strip()}')
        else:
            return None
    return rows


def with_errors(blocks, known):
    """Blocks of a comment with its errors set apart: behind the text that says what is returned."""
    parted, out = [], []
    for block in blocks:  # "Leaves it.  Returns 0, ..." in one paragraph
        texts = [block.content]
        if block.kind == 'text':
            texts = re.split(r'(?<=[.)])\s+(?=Returns? )', block.content, maxsplit=1)
        parted += [Block(block.kind, text) for text in texts]
    for block in parted:
        if block.kind == 'text' and re.match('Returns? |and -E', block.content):
            says, *notes = NOTES.split(block.content, maxsplit=1)
            more = says.startswith('and ') and bool(out) and out[-1].kind == 'errors'
            found = errors_of('Returns, ' + says[4:] if more else says)
            if found:
                head, items, rest = found
                items = [(name, meaning(name, words, known)) for name, words in items]
                if more:
                    out[-1].content += items
                else:
                    out += [Block('text', head.rstrip('.,;:') + '.')] if head != 'Returns' else []
                    out.append(Block('errors', items))
                out += [Block('text', ' '.join(rest))] if rest else []
            else:
                out.append(Block('text', says))
            out += [Block('text', n) for n in notes]
        elif block.kind == 'code' and (rows := error_rows(block.content)):
            out.append(Block('errors', [(name, meaning(name, words, known)) for name, words in rows]))
        else:
            out.append(block)
    return out


def declared(text):
    """What one declaration declares, or None for what is of no interest."""
    one = ' '.join(re.sub(r'/\*.*?\*/', ' ', text, flags=re.S).split())
    if one.startswith('#define'):
        name = re.match(r'#define (\w+)', one).group(1)
        return Declaration('macro', name, text)
    body = re.sub(r'^extern |\b(WEFT_API|WEFT_MUST_USE|__attribute__ ?\(\(.*?\)\)) ?', '', one)
    if m := re.match(r'typedef (struct|enum|union) \w* ?\{.*\} (\w+);', body):
        members = re.findall(rf'\b({NAME})\b(?= ?[=,}}])', body) if m.group(1) == 'enum' else []
        return Declaration(m.group(1), m.group(2), text, members)
    if m := re.match(r'(struct|enum|union) (\w+) \{', body):
        members = re.findall(rf'\b({NAME})\b(?= ?[=,}}])', body) if m.group(1) == 'enum' else []
        return Declaration(m.group(1), m.group(2), text, members)
    if m := re.match(r'typedef .*?(\w+) ?(?:\([^*].*)?;$', body):
        return Declaration('type', m.group(1), text)
    if m := re.match(rf'(static inline )?[^=;(]*?\b(\w+) ?\(', body):
        if m.group(2).startswith('_'):
            return None
        return Declaration('inline' if m.group(1) else 'function', m.group(2), text)
    if 'WEFT_API' in one and (m := re.search(r'(\w+)[ )]*;$', body)):
        return Declaration('variable', m.group(1), text)
    return None


def without_cplusplus(lines):
    """Blanks what only C++ sees, and the lines of conditions."""
    kept, hidden = [], []
    for line in lines:
        if m := re.match(r'#\s*(if|ifdef|ifndef|else|elif|endif)\b\s*(.*)', line):
            word, what = m.groups()
            if word in ('if', 'ifdef', 'ifndef'):
                hidden.append(word == 'ifdef' and what == '__cplusplus')
            elif word in ('else', 'elif'):
                hidden[-1] = not hidden[-1]
            else:
                hidden.pop()
            line = '#'
        kept.append('' if any(hidden) else line)
    return kept


def end_of(lines, at):
    """The index behind the declaration that begins at `at`."""
    if lines[at].startswith('#'):
        while lines[at].endswith('\\'):
            at += 1
        return at + 1
    depth, seen = 0, ''
    while at < len(lines):
        line = re.sub(r'/\*.*?\*/', '', lines[at])
        seen += line
        depth += line.count('{') - line.count('}')
        at += 1
        if depth == 0 and re.search(r'[;}]\s*(/\*.*)?$', line) and '{' not in line.split('}')[-1]:
            break
    return at


def read(path):
    with open(path, encoding='utf-8') as file:
        lines = without_cplusplus(file.read().split('\n'))
    name = re.sub(r'.*/|\.h$', '', path)
    header = Header(path, name, '', [])
    group, at, fresh = None, 0, True
    while at < len(lines):
        line = lines[at]
        if line.startswith('/*'):
            start = at
            while '*/' not in lines[at]:
                at += 1
            at += 1
            comment = strip_comment(lines[start:at])
            if start == 0:
                header.intro = comment
                continue
            group = Group(header, start + 1, comment, line.startswith('/**'), [])
            header.groups.append(group)
            continue
        if not line.strip():
            group = None
        elif re.match(r'[A-Z_]\w*(\(.*\);)?$', line) or line.startswith('_Static_assert'):
            group = None
        elif not line.startswith('#') or line.startswith('#define'):
            start, at = at, end_of(lines, at)
            text = '\n'.join(lines[start:at])
            d = declared(text)
            if d and re.match(r'(?:weft|WEFT)_(?!_|\w+_H$)', d.name):
                if not group:
                    group = Group(header, start + 1, '', False, [])
                    header.groups.append(group)
                group.declarations.append(d)
            continue
        at += 1
    return header
