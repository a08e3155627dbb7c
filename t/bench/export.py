#!/usr/bin/python3
"""Times the export of a dataset: ./dev bench --only export, or this file by itself.

Makes --rows conversations (200,000) of a prompt, a question and an answer, 2 KB or so each, and exports them through
nginx with TLS to curl, compressed and not, and into a file; every line is checked on its way. Prints MB/s, rows/s, and
the most memory that fcgi-batch ever had.
"""

import argparse
import json
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")

from cluster import Cluster  # noqa: E402
from harness import Uplift  # noqa: E402

FILL = """
insert into ai_training_examples (dataset_id, messages, quality_score, split, is_validated, content_hash, tokens)
select d.id, m, 7 + n % 4, case n % 10 when 8 then 'validation' when 9 then 'test' else 'train' end, true,
    uplift.content_hash(m, null, null, null), octet_length(m::text) / 4
from ai_training_datasets d, generate_series(1, {rows}) n, lateral (select jsonb_build_array(
    jsonb_build_object('role', 'system', 'content', 'You are Decibel, a coach. ' || repeat('You speak in short, "punchy" lines. ', 30)),
    jsonb_build_object('role', 'user', 'content', 'Question ' || n || ': ' || md5(n::text) || e' how do I start?\\n'),
    jsonb_build_object('role', 'assistant', 'content', (select string_agg(md5((n * 31 + w)::text), case w % 9 when 0 then e'.\\n' else ' ' end)
        from generate_series(1, 20 + n % 20) w)))) as x(m)
where d.dataset_name = 'Bench'
"""


def peak_mb(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def fetch(up, path, *options):
    """(bytes received, seconds) of a request by curl."""
    out = subprocess.run(["curl", "-sS", "--fail", "--cacert", up.ca, "-o", "/dev/null", "-w", "%{size_download} %{time_total}",
                          "-H", "Authorization: Bearer " + up.admin_token(), *options, up.url + path],
                         check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout.split()
    return int(out[0]), float(out[1])


def measure(rows, say=lambda text: None):
    """The figures, by name."""
    figures = {"rows": rows}
    cluster = Cluster(fsync=True, settings={"shared_buffers": "256MB", "max_wal_size": "4GB"})
    cluster.start()
    try:
        up = Uplift(cluster=cluster, simulator=None, batch=True, UPLIFT_LOG_LEVEL="warn", expected=".").__enter__()
        try:
            say("making %d examples" % rows)
            dataset = up.sql("insert into ai_training_datasets (dataset_name, dataset_type) values ('Bench', 'conversation')"
                             " returning id::text")[0]["id"]
            up.sql(FILL.format(rows=rows))
            cluster.psql(up.database, sql="vacuum analyze public.ai_training_examples")
            path = "/admin/datasets/%s/export?format=openai" % dataset
            fetch(up, path + "&split=test")  # what is read first is not in memory yet
            say("exporting to curl")
            size, seconds = min((fetch(up, path) for _ in range(3)), key=lambda f: f[1])
            figures.update(bytes=size, url_mb_s=size / 1e6 / seconds, url_rows_s=rows / seconds)
            packed, seconds = fetch(up, path, "-H", "Accept-Encoding: gzip")
            figures.update(gzip_bytes=packed, gzip_mb_s=size / 1e6 / seconds)
            say("exporting to a file")
            began = time.monotonic()
            job = up.job("export-dataset", {"dataset": "Bench", "format": "openai"}, seconds=600)
            seconds = time.monotonic() - began
            figures.update(file_mb_s=job["result"]["bytes"] / 1e6 / seconds, peak_mb=peak_mb(up.batch.pid))
            if job["result"]["examples"] != rows or job["result"]["bytes"] != size:
                raise SystemExit("the export is not whole: %s" % job)
        finally:
            up.stop()
            up.remove()
    finally:
        cluster.remove()
    return figures


def goals(f):
    """What was wanted: (text, whether it is so, what was wanted)."""
    slowest = min(f["url_mb_s"], f["file_mb_s"])
    return [("export, each line checked: %.0f MB/s" % slowest, slowest >= 75, "at least 75 MB/s"),
            ("memory of fcgi-batch meanwhile: %.1f MB" % f["peak_mb"], f["peak_mb"] < 64, "under 64 MB")]


def show(f):
    print("export of %(rows)d examples, %(bytes).0f bytes, each line checked" % f)
    print("  by URL, TLS       %(url_mb_s)7.0f MB/s  %(url_rows_s)8.0f rows/s" % f)
    print("  by URL, gzip      %(gzip_mb_s)7.0f MB/s of text" % f)
    print("  into a file       %(file_mb_s)7.0f MB/s, synced and hashed" % f)
    print("  fcgi-batch's peak %(peak_mb)7.1f MB" % f)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200000)
    parser.add_argument("--out", help="keep the figures as JSON in this file")
    options = parser.parse_args()
    figures = measure(options.rows, lambda text: print("[%s] %s" % (time.strftime("%H:%M:%S"), text), file=sys.stderr, flush=True))
    show(figures)
    if options.out:
        with open(options.out, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
