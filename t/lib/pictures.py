"""Pictures for tests: of coloured cells, which the simulated model takes for foods, in any format, and broken ones."""

import struct
import subprocess
import tempfile
import zlib

# As src/simulator/meal.c has them.
SALMON, EGGS, SALAD, BROCCOLI, PLATE = (255, 85, 0), (255, 233, 0), (64, 255, 0), (0, 255, 85), (128, 128, 128)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, cells, extra=b"", claims=None):
    """Of rows of cells with a colour each; extra chunks, and a size that it claims to have."""
    rows = []
    for y in range(height):
        row = cells[y * len(cells) // height]
        rows.append(b"\0" + b"".join(bytes(row[x * len(row) // width]) for x in range(width)))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *(claims or (width, height)), 8, 2, 0, 0, 0)) + extra
            + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))


def meal(*colours, size=120):
    """A PNG with stripes, a sixth of it each; what is left is plate."""
    rows = [[colour] for colour in colours] + [[PLATE]] * (6 - len(colours))
    return png(size, size, rows)


def convert(data, ending, *steps):
    """Written by vips as .jpg[Q=90], .webp, .heic, ...; steps are operations before, such as ("rot", "d90")."""
    with tempfile.TemporaryDirectory() as directory:
        last = directory + "/0.png"
        with open(last, "wb") as file:
            file.write(data)
        for i, (operation, *words) in enumerate(steps):
            made = "%s/%d.v" % (directory, i + 1)
            subprocess.run(["vips", operation, last, made, *words], check=True, stdout=subprocess.DEVNULL)
            last = made
        out = directory + "/out" + ending
        subprocess.run(["vips", "copy", last, out], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(directory + "/out" + ending.split("[")[0], "rb") as file:
            return file.read()


def with_exif(jpeg, orientation, text):
    """A JPEG with an orientation and a camera's name in its metadata, as first segment."""
    text += b"\0"
    entries = struct.pack(">HHII", 0x010F, 2, len(text), 38) + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM" + struct.pack(">HI", 42, 8) + struct.pack(">H", 2) + entries + struct.pack(">I", 0) + text
    body = b"Exif\0\0" + tiff
    end = 2
    if jpeg[2:4] == b"\xff\xe0":  # JFIF's own segment goes
        end = 4 + struct.unpack(">H", jpeg[4:6])[0]
    rest = jpeg[end:]
    while rest[:2] == b"\xff\xe1":
        rest = rest[2 + struct.unpack(">H", rest[2:4])[0]:]
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + rest


def pixels(jpeg, width, height):
    """Its colours, shrunk to so many cells: rows of (r, g, b)."""
    made = subprocess.run(["vipsthumbnail", "stdin", "-s", "%dx%d!" % (width, height), "-o", ".ppm"], input=jpeg, check=True,
                          stdout=subprocess.PIPE).stdout[-3 * width * height:]
    return [[tuple(made[3 * (y * width + x):][:3]) for x in range(width)] for y in range(height)]


def size_of(jpeg):
    header = subprocess.run(["vipsheader", "stdin"], input=jpeg, check=True, stdout=subprocess.PIPE).stdout.decode()
    return tuple(int(n) for n in header.split(" ")[0].split("x"))


def form(data, name="photo", filename="meal.jpg", kind="image/jpeg", boundary="tests"):
    """The body of a form with one file, and its content type."""
    body = b"--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n" % tuple(
        word.encode() for word in (boundary, name, filename, kind))
    return body + data + b"\r\n--" + boundary.encode() + b"--\r\n", "multipart/form-data; boundary=" + boundary
