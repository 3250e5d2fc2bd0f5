"""Whether a pickle of weights, as torch.save writes it, can be opened within bounds. Nothing of it is run here.

torch reads such a file as weights alone and runs no code in it. A small file can still unpack to all of the memory, or
hold a key whose hash takes years: a tuple of twice the same tuple, of twice the same tuple, and so on.
"""

import pickletools
import zipfile
from pathlib import Path
from typing import IO

MOST_BYTES = 8 * 2**20  # of a pickle without its tensors; Kolors' 1120 LoRA matrices take a fifth of a megabyte
MOST_PARTS = 1000  # of one value, those inside it included; a tensor's description has about 20
MOST_KEYS = 10_000  # that are no texts: whole numbers can be chosen so that all of them hash alike
OLD_PICKLES = 5  # at the beginning of the format before archives: a number, a version, the machine, weights, names
TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE")
TABLES = ("SETITEM", "SETITEMS", "DICT")
HOLDERS = (*TABLES, "EMPTY_DICT", "EMPTY_LIST", "LIST", "APPEND", "APPENDS")  # these have no hash


class TooMuch(ValueError):
    """A pickle or archive beyond its bounds."""


def check_pickle(path: Path) -> None:
    """Answer a file of weights that would take more memory than it is long, or for ever, with TooMuch.

    Other ValueErrors, zipfile.BadZipFile, KeyError and IndexError for what is broken.
    """
    with path.open("rb") as content:
        if content.read(2) == b"PK":
            check_archive(path)
            return
        content.seek(0)
        for _ in range(OLD_PICKLES):
            try:
                check_operations(content)
            except TooMuch:
                raise
            except ValueError:  # it ends, or the tensors begin: torch finds the same
                return


def check_archive(path: Path) -> None:
    """Check an archive and the pickle in it: none that torch writes is packed, or names two parts alike."""
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if unpacked > size or any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise TooMuch(f"{size / 1e6:.1f} MB, packed, which would become {unpacked / 1e6:.1f} MB")
        if archive.comment or len({part.filename for part in parts}) < len(parts):
            raise TooMuch("no archive that torch writes")  # two readers may see two things in it
        for part in parts:
            if part.filename.endswith(".pkl"):
                with archive.open(part) as content:
                    check_operations(content)


def check_operations(content: IO[bytes]) -> None:
    """Count the parts of each value that a pickle puts together, without putting anything together: TooMuch.

    A text counts 0, anything else 1 and what it is made of; what holds other values and has no hash counts 1.
    """
    stack: list[int] = []
    marks: list[int] = []
    memo: dict[object, int] = {}
    start, keys = content.tell(), 0
    for operation, argument, place in pickletools.genops(content):
        name = operation.name
        assert place is not None  # as for all that can tell where it is read
        if place - start > MOST_BYTES:
            raise TooMuch("a pickle that is too long")
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if argument is None else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "DUP":
            stack.append(stack[-1])
        else:
            taken = take(stack, marks, operation)
            keys += sum(map(bool, taken[-2::-2])) if name in TABLES else 0
            parts = 1 if name in HOLDERS else 1 + sum(taken)
            if parts > MOST_PARTS or keys > MOST_KEYS:
                raise TooMuch("a pickle with a key that would be computed for ever")
            stack += [0 if name in TEXTS else parts for _ in operation.stack_after]


def take(stack: list[int], marks: list[int], operation: pickletools.OpcodeInfo) -> list[int]:
    """Take what an operation takes from the stack, and return its values, those after the last mark if it wants one."""
    wanted = operation.stack_before
    if pickletools.markobject in wanted:
        mark = marks.pop()
        taken, place = stack[mark:], mark - wanted.index(pickletools.markobject)
    elif operation.name == "POP" and marks[-1:] == [len(stack)]:
        marks.pop()
        return []
    else:
        place = len(stack) - len(wanted)
        taken = stack[place:]
    if place < 0:
        raise IndexError("a pickle that takes more than it has")
    del stack[place:]
    return taken
