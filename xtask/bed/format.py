"""Reads traces with nothing but docs/trace-format.md in hand, and holds every record against what `vswap export` says.

Whoever writes another reader has that text alone: this is one, and it finds out whether the text is true.

Usage: format.py VSWAP TRACE...
"""

import json
import struct
import subprocess
import sys

import zstandard

HEADER, UPDATE, RECORDS, TRAILER, KEY, KEY_SLOTS, INDEX = range(1, 8)
PLAIN, ZSTD, COLUMNS = range(3)
JSON = {HEADER, UPDATE, TRAILER, KEY}
# Columns of a field: how many bytes each holds, by its first column.
WIDE = [1, 1, 2, 4]


def crc32c_table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        yield n


TABLE = list(crc32c_table())


def checksum(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def hold(true, what):
    if not true:
        raise SystemExit(f"format: {what}")


def unzstd(data, length):
    data = zstandard.ZstdDecompressor().decompress(data, max_output_size=length)
    hold(len(data) == length, f"{len(data)} bytes decompressed, {length} said")
    return data


class Block:
    def __init__(self, data, at):
        head = struct.unpack_from("<4sBBHIIIIQQQII", data, at)
        magic, self.type, self.encoding, zero, self.raw, stored, self.count, self.number = head[:8]
        self.before, self.first, self.last, payload_sum, header_sum = head[8:]
        self.at, self.end = at, at + 56 + stored
        self.payload = data[at + 56 : self.end]
        hold(magic == b"VBLK" and zero == 0, f"no block at {at}")
        hold(checksum(data[at : at + 52]) == header_sum, f"header of the block at {at}")
        hold(checksum(self.payload) == payload_sum, f"payload of the block at {at}")
        hold(self.raw <= 8 << 20 and stored <= self.raw + (288 if self.encoding == COLUMNS else 0), "lengths")
        hold(self.count <= 65536 and (self.count == 0 or self.type == RECORDS), "count of records")

    def plain(self):
        if self.encoding == ZSTD:
            return unzstd(self.payload, self.raw)
        hold(self.encoding == PLAIN and len(self.payload) == self.raw, "a plain payload")
        return self.payload


class Column:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        hold(self.at + n <= len(self.data), "a column has too few bytes")
        self.at += n
        return self.data[self.at - n : self.at]


def columns(payload, raw):
    (bitmap,) = struct.unpack_from("<Q", payload)
    present = [i for i in range(64) if bitmap >> i & 1]
    lengths = [struct.unpack_from("<II", payload, 8 + 8 * i) for i in range(len(present))]
    at, out = 8 + 8 * len(present), [Column(b"") for _ in range(64)]
    for column, (length, stored) in zip(present, lengths):
        data = payload[at : at + stored]
        out[column] = Column(data if stored == length else unzstd(data, length))
        at += stored
    hold(at == len(payload) and sum(length for length, _ in lengths) == raw, "lengths of the columns")
    return out


def records(payload, raw, count):
    cols = columns(payload, raw)

    def value(first, size, signed=False):
        data, column = b"", first
        while len(data) < size:
            data += cols[column].take(min(WIDE[column - first], size - len(data)))
            column += 1
        return int.from_bytes(data, "little", signed=signed)

    cpus, kinds, out = {}, {}, []
    ts = cpu = 0
    for _ in range(count):
        kind, one, two = (cols[i].take(1)[0] for i in range(3))
        if one >> 7 & 1:
            cpu = value(24, 2)
        mine = cpus.setdefault(cpu % 256, dict(entry=0, seq=0, tid=0, lost=0))
        same = kinds.setdefault((cpu % 256, kind % 32), dict(next=0, val=0, memcg=0, flags=0, nr=0, order=0))
        time = one & 3
        ts = (ts + value(3, [2, 4, 8][time], time > 0)) % 2**64
        match one >> 2 & 7:
            case 0:
                entry = mine["entry"]
            case place:
                step = value(7, [2, 4, 8][place - 2], True) if place > 1 else 0
                entry = (same["next"] + step) % 2**64
        arg = value(11, [0, 2, 4, 8][one >> 5 & 3])
        match two & 3:
            case 0:
                val = 0
            case 1:
                val = same["val"]
            case wide:
                val = value(15, [2, 4][wide - 2], wide == 3)
        if two >> 7 & 1:
            same["nr"], same["order"] = value(32, 2), cols[34].take(1)[0]
        mine["seq"] = value(18, 4) if two >> 2 & 1 else (mine["seq"] + 1) % 2**32
        mine["tid"] = value(21, 4) if two >> 3 & 1 else mine["tid"]
        same["memcg"] = value(26, 2) if two >> 4 & 1 else same["memcg"]
        mine["lost"] = value(28, 2) if two >> 5 & 1 else mine["lost"]
        same["flags"] = value(30, 2) if two >> 6 & 1 else same["flags"]
        mine["entry"], same["val"], same["next"] = entry, val, (entry + same["nr"]) % 2**64
        out.append({"ts": ts, "kind": kind, "entry": entry, "arg": arg, "val": val, "cpu": cpu, **mine, **same})
    hold(all(column.at == len(column.data) for column in cols), "bytes of a column are left over")
    return out


def blocks(data):
    hold(data[:8] == bytes.fromhex("8956535741500A1A"), "the first bytes")
    major, _minor, preamble = struct.unpack_from("<HHI", data, 8)
    hold(major == 1 and checksum(data[:12]) == preamble, "the preamble")
    at, before = 16, 0
    found = []
    while at < len(data):
        block = Block(data, at)
        hold(block.number == len(found) and block.before == before, f"number of the block at {at}")
        found.append(block)
        at, before = block.end, before + block.count
    return found


def check_index(found, trailer):
    (index,) = [b for b in found if b.type == INDEX]
    hold(index is found[-2] and trailer["index"] == index.at, "the index is where the trailer says")
    lines = [struct.unpack("<B3xIIIQQQQ", index.plain()[i : i + 48]) for i in range(0, index.raw, 48)]
    listed = [b for b in found if b.type in (RECORDS, UPDATE, KEY)]
    wanted = [(b.type, b.count, b.number, 0, b.at, b.before, b.first, b.last) for b in listed]
    hold(lines == wanted, "the index lists the blocks")


def check_frames(found):
    for frame in (b for b in found if b.type == KEY):
        pinned = json.loads(frame.plain())
        hold(pinned["ts"] == frame.last and pinned["first_ts"] == frame.first, "times of a key frame")
        number, last = frame.number, 0
        while not last:
            number += 1
            part = found[number]
            hold(part.type == KEY_SLOTS, "slots follow a key frame")
            count, last = struct.unpack_from("<II", part.payload)
            for r in records(part.payload[8:], part.raw - 8, count):
                rest = (r["cpu"], r["tid"], r["lost"], r["ts"])
                hold(r["kind"] in (1, 2, 3) and rest == (0, 0, 0, 0), "records of a key frame")


def check(vswap, trace):
    data = open(trace, "rb").read()
    found = blocks(data)
    hold(found[0].type == HEADER, "the first block is the header")
    texts = {b.number: json.loads(b.plain()) for b in found if b.type in JSON}
    ours = [r for b in found if b.type == RECORDS for r in records(b.payload, b.raw, b.count)]
    for b in found:
        if b.type == RECORDS:
            times = [r["ts"] for r in ours[b.before : b.before + b.count]]
            hold((min(times), max(times)) == (b.first, b.last), "times of a block")
    check_frames(found)
    if found[-1].type == TRAILER and any(b.type == INDEX for b in found):
        check_index(found, texts[found[-1].number])
    run = subprocess.run([vswap, "export", trace, "--format", "ndjson", "-o", "-"], capture_output=True, text=True)
    hold(run.returncode in (0, 3), f"vswap export {trace}: {run.stderr}")
    theirs = [json.loads(line) for line in run.stdout.splitlines()]
    hold(len(ours) == len(theirs), f"{trace}: {len(ours)} records by the text, {len(theirs)} by vswap")
    names = {}
    for mine, told in zip(ours, theirs):
        mine["dev"], mine["off"] = mine["entry"] >> 58, mine["entry"] & (1 << 58) - 1
        hold(names.setdefault(mine["kind"], told["kind"]) == told["kind"], f"kind {mine['kind']} has two names")
        for field in ("ts", "dev", "off", "nr", "order", "memcg", "cpu", "tid", "val", "arg", "flags"):
            # What says nothing for a kind of record is left out.
            hold(told[field] in (None, mine[field]), f"{trace}: {field} of {mine} is told as {told}")
    hold(len(set(names.values())) == len(names), "two kinds have one name")
    return len(ours), len(names)


def main():
    vswap, *traces = sys.argv[1:]
    for trace in traces:
        count, kinds = check(vswap, trace)
        print(f"  {trace.rsplit('/', 1)[-1]}: {count} records of {kinds} kinds")


main()
