"""Segments random texts in two random ways and counts words, found words and right words by comparing (start, end) pairs
as sets. score_test.go compares. python3 score.py > score.json; the standard library is all that it needs."""

import json
import random

rng = random.Random(1998)


def cut(text):
    words = []
    while text:
        n = rng.choice([1, 1, 2, 2, 2, 3, 5])
        words.append(text[:n])
        text = text[n:]
    return words


def spans(words):
    found, at = set(), 0
    for word in words:
        found.add((at, at + len(word)))
        at += len(word)
    return found


cases = []
for _ in range(20):
    text = "".join(rng.choice("中国人民的生活，。１９") for _ in range(rng.randint(1, 30)))
    words, found = cut(text), cut(text)
    right = len(spans(words) & spans(found))
    p, r = right / len(found), right / len(words)
    cases.append({"words": words, "found": found, "right": right, "precision": p, "recall": r,
                  "f1": 2 * p * r / (p + r) if p + r else 0.0})
print(json.dumps(cases, ensure_ascii=False, indent=1))
