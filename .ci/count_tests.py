#!/usr/bin/env python3
"""Counts the tests of one CTest run: count_tests.py BUILD prints "PASSED FAILED SKIPPED".

CTest knows a share of a GoogleTest binary as one test; what is in it stands in BUILD/tests/xml/SHARE.xml. A share that
wrote none has crashed, and counts as one failure.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml


def numbers(element):
    tests, failed = int(element.get("tests")), int(element.get("failures")) + int(element.get("errors", 0))
    skipped = int(element.get("skipped", 0))
    return tests - failed - skipped, failed, skipped


def count(build):
    shares = {path.stem: path for path in (build / "tests/xml").glob("*.xml")}
    totals = [0, 0, 0]
    for case in xml.parse(build / "tests.xml").getroot().iter("testcase"):
        if case.get("name") in shares:
            found = numbers(xml.parse(shares[case.get("name")]).getroot())
        else:
            state = case.get("status")
            found = (state == "run", state == "fail", state not in ("run", "fail"))
        totals = [total + one for total, one in zip(totals, found)]
    return totals


if __name__ == "__main__":
    print(*map(int, count(pathlib.Path(sys.argv[1]))))
