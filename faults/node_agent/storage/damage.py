"""What happens to bytes at rest, seeded so that every case can be repeated: pure functions from bytes to bytes.

The classes are those in which checkpoints were found damaged: bit rot, a lost page, a write that was torn by a crash, a file cut short.
"""

from random import Random

PAGE = 4096
TORN = 65536


def flip_bit(data: bytes, rng: Random) -> bytes:
    """Flip one bit, anywhere."""
    at = rng.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def zero_page(data: bytes, rng: Random) -> bytes:
    """Make one page of 4 KiB read as zeros; a page that held only zeros is passed over, because nothing would be damaged."""
    pages = [at for at in range(0, len(data), PAGE) if any(data[at : at + PAGE])]
    at = rng.choice(pages)
    return data[:at] + bytes(len(data[at : at + PAGE])) + data[at + PAGE :]


def tear(data: bytes, older: bytes, rng: Random) -> bytes:
    """Leave the older content in a stretch of up to 64 KiB: a write that was only partly done.

    Raises ValueError if the two contents are the same: nothing would be torn.
    """
    size = min(TORN, len(data) // 2, len(older))
    starts = list(range(0, min(len(data), len(older)) - size + 1, 512))
    rng.shuffle(starts)
    for at in starts:
        if data[at : at + size] != older[at : at + size]:
            return data[:at] + older[at : at + size] + data[at + size :]
    raise ValueError(f"the older content of {len(older)} bytes is the same as the newer one of {len(data)} bytes: nothing to tear")


def is_safetensors(data: bytes) -> bool:
    """Tell whether a file begins as a safetensors file does: the length of its header in 8 bytes, and the header of JSON."""
    return data[8:9] == b"{" and 8 + int.from_bytes(data[:8], "little") <= len(data)


def other_numbers(data: bytes, rng: Random) -> bytes:
    """Move the numbers of a safetensors file by some places within it: it is as long and as valid as before, and each number another's.

    Raises ValueError if it is no such file (a length of 8 bytes, a header of JSON, numbers of 4 bytes each), or nothing would change.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    numbers = data[start:]
    if not is_safetensors(data) or len(numbers) < 8 or len(numbers) % 4:
        raise ValueError(f"{len(data)} bytes are no safetensors file with numbers of 4 bytes")
    by = 4 * rng.randrange(1, len(numbers) // 4)
    moved = numbers[by:] + numbers[:by]
    if moved == numbers:
        raise ValueError(f"the {len(numbers) // 4} numbers repeat: moved by {by // 4} places they are the same")
    return data[:start] + moved


def truncate(data: bytes, rng: Random) -> bytes:
    """Cut the end off: from one byte up to all."""
    return data[: rng.randrange(len(data))]
