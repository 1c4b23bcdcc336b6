"""Segments the test lines of lesson 8 with jieba and writes its word F1 to 08-jieba.json, which the lesson reads.

    python3 -m venv /tmp/jieba
    /tmp/jieba/bin/pip install jieba==0.42.1
    /tmp/jieba/bin/python notebooks/08-jieba.py ~/.cache/birnn/peoples-daily-1998-01.txt

The corpus is where birnnlib/examples/segment puts it: in the folder birnn of the user's cache directory. jieba runs as it comes,
with its own dictionary, in the mode that its documentation recommends for the analysis of text.
"""

import hashlib
import json
import pathlib
import sys

import jieba

VERSION = "0.42.1"
CORPUS = "987c2b26273ada0118664e0137ebfa71af108adbcda791425f7371d952dc758b"


def spans(words):
    """The words as pairs (start, end)."""
    found, at = set(), 0
    for word in words:
        found.add((at, at + len(word)))
        at += len(word)
    return found


def main():
    if jieba.__version__ != VERSION:
        sys.exit(f"this is jieba {jieba.__version__}; the lesson compares with {VERSION}")
    data = pathlib.Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(data).hexdigest() != CORPUS:
        sys.exit(f"{sys.argv[1]} is not the corpus of the lesson")
    lines = [line.split() for line in data.decode("utf-8").split("\n") if line.strip()]
    true = found = right = 0
    for line in lines[9::10]:  # every tenth line is the test
        words = [token.rpartition("/")[0] for token in line]
        cut = list(jieba.cut("".join(words)))
        true, found, right = true + len(words), found + len(cut), right + len(spans(words) & spans(cut))
    precision, recall = right / found, right / true
    result = {
        "jieba": VERSION,
        "corpus_sha256": CORPUS,
        "test_words": true,
        "precision": round(precision, 6),
        "recall": round(recall, 6),
        "f1": round(2 * precision * recall / (precision + recall), 6),
    }
    text = json.dumps(result, indent=1) + "\n"
    pathlib.Path(__file__).with_suffix(".json").write_text(text)
    print(text, end="")


main()
