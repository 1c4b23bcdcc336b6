"""Measures how many characters per second segment -serve, jieba and gse cut into words, on a Linux machine.

    python3 -m venv /tmp/jieba
    /tmp/jieba/bin/pip install jieba==0.42.1
    /tmp/jieba/bin/python birnnlib/examples/cmd/segment/throughput/throughput.py

Each segments the same lines once, by default the lyrics of birnnlib/examples/text, over and over. Several clients send them to
the server, which uses all cores on the backend xla:cpu; jieba and gse run on one core, as they come, with their own
dictionaries and the HMM on. The time to load a dictionary, or to compile the network, is not counted. The speed of a network
does not depend on its weights, so that one with the default sizes is trained for a moment, on jieba's words; -model takes
another. The ratios are speeds divided by that of the server.
"""

import argparse
import concurrent.futures
import http.client
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import urllib.parse

import jieba

JIEBA, GSE = "0.42.1", "v0.80.3"
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[4]
LYRICS = ROOT / "birnnlib" / "examples" / "text" / "corpus.txt"
CHARACTERS = 500_000
CLIENTS = 8
LINES = 100  # in a request


def parse():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("-backend", default="xla:cpu", help="of the server (default: %(default)s)")
    p.add_argument("-model", help="the directory of a trained model")
    p.add_argument("-characters", type=int, default=CHARACTERS, help="in the text, at least (default: %(default)s)")
    p.add_argument("text", nargs="?", default=LYRICS, help="a UTF-8 file (default: the lyrics)")
    return p.parse_args()


def count(lines):
    """The characters, without white space."""
    return sum(len("".join(line.split())) for line in lines)


def build(folder, package, program):
    subprocess.run(["go", "build", "-o", program, package], cwd=folder, check=True)
    return program


def train(segment, backend, model, lines):
    corpus = "\n".join(" ".join(word for word in jieba.cut(line) if word.strip()) for line in lines)
    subprocess.run([segment, "-train", "-epochs", "1", "-backend", backend, "-corpus", "-", "-model", model],
                   input=corpus.encode(), stdout=subprocess.DEVNULL, check=True)


def post(address, requests):
    """Sends requests over one connection and checks the answers."""
    connection = http.client.HTTPConnection(address, timeout=600)
    for request in requests:
        connection.request("POST", "/", request.encode())
        response = connection.getresponse()
        answer = response.read().decode()
        if response.status != 200:
            raise RuntimeError(answer)
        if "".join(answer.split()) != "".join(request.split()):
            raise RuntimeError("an answer is not the text with spaces")
    connection.close()


def serve(segment, backend, model, lines):
    """Returns the seconds that the server takes, those of its CPU time, and its backend."""
    command = [segment, "-serve", ":0", "-backend", backend, "-model", model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            name = server.stdout.readline().strip()
            address = urllib.parse.urlparse(server.stdout.readline().strip()).netloc
            if not address:
                raise RuntimeError("the server does not start")
            requests = ["\n".join(lines[i:i + LINES]) for i in range(0, len(lines), LINES)]
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
                start, cpu = time.perf_counter(), cpu_seconds(server.pid)
                for answered in [clients.submit(post, address, requests[i::CLIENTS]) for i in range(CLIENTS)]:
                    answered.result()
                return time.perf_counter() - start, cpu_seconds(server.pid) - cpu, name
        finally:
            server.send_signal(signal.SIGTERM)


def cpu_seconds(pid):
    """The CPU time of a process: utime and stime of proc(5)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def with_jieba(lines):
    start, cpu = time.perf_counter(), time.process_time()
    for line in lines:
        list(jieba.cut(line))
    return time.perf_counter() - start, time.process_time() - cpu


def with_gse(program, lines):
    done = subprocess.run([program], input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True)
    return [float(number) for number in done.stdout.split()]


def main():
    args = parse()
    if jieba.__version__ != JIEBA:
        raise SystemExit(f"this is jieba {jieba.__version__}; install jieba=={JIEBA}")
    if f"github.com/go-ego/gse {GSE}" not in (HERE / "gse" / "go.mod").read_text():
        raise SystemExit(f"gse/go.mod has not gse {GSE}")
    text = [line for line in pathlib.Path(args.text).read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = text * -(-args.characters // count(text))
    characters = count(lines)
    jieba.initialize()
    with tempfile.TemporaryDirectory() as folder:
        segment = build(ROOT, "./birnnlib/examples/cmd/segment", os.path.join(folder, "segment"))
        gse = build(HERE / "gse", ".", os.path.join(folder, "gse"))
        model = args.model
        if not model:
            model = os.path.join(folder, "model")
            train(segment, args.backend, model, text)
        *server, backend = serve(segment, args.backend, model, lines)
        results = {f"segment -serve, {CLIENTS} clients": server, f"jieba {JIEBA}": with_jieba(lines), f"gse {GSE}": with_gse(gse, lines)}
    print(f"{characters} characters, {os.cpu_count()} cores, {backend}")
    print(f"{'characters per second':32}{'of time':>10}{'ratio':>8}{'of CPU time':>14}{'ratio':>8}")
    for name, (seconds, cpu) in results.items():
        print(f"{name:32}{characters / seconds:10.0f}{server[0] / seconds:8.2f}{characters / cpu:14.0f}{server[1] / cpu:8.2f}")


main()
