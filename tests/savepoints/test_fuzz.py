"""What a fuzzer found, and mutations of real files: only the typed error comes out, and soon."""

from __future__ import annotations

import random
from time import monotonic

import pytest

from tests.savepoints.fuzz.corpus import inputs, seeds
from tests.savepoints.fuzz.target import one_input

NUMBERS = (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0", b"\0\0\0\1", b"\0\1\0\0")


def test_the_corpus_of_the_fuzzer_is_read_or_refused() -> None:
    assert len(inputs()) > 20
    for data in inputs().values():
        one_input(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    originals = list(seeds().values())
    until = monotonic() + 1.5
    tried = 0
    while monotonic() < until or tried < 200:
        one_input(mutated(chance.choice(originals), chance))
        tried += 1


def mutated(original: bytes, chance: random.Random) -> bytes:
    data = bytearray(original)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        place = chance.randrange(1, len(data) + 1)
        other = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                data[place : place + 4] = chance.choice(NUMBERS)
            case 2:
                del data[place : place + chance.randrange(1, 40)]
            case 3:
                data[place:place] = data[other : other + chance.randrange(200)]
            case 4:
                del data[place:]
            case 5:
                data[place - 1] = data[place - 1] ^ 1 << chance.randrange(8) if place > 1 else data[0]
    return bytes(data)
