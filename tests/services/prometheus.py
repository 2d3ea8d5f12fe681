#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads metrics from its input with Prometheus' own parser, and prints what it found: a line a family,
and one a sample that is no bucket. Fails where a histogram's buckets do not add up."""
import sys

from prometheus_client.parser import text_string_to_metric_families


def check_buckets(family):
    """The buckets of each histogram grow with their bounds up to its count."""
    last = {}
    for sample in family.samples:
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        key = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            bound, count = last.get(key, (-1.0, 0.0))
            if float(sample.labels["le"]) <= bound or sample.value < count:
                sys.exit(f"{sample}: out of order")
            last[key] = (float(sample.labels["le"]), sample.value)
        elif sample.name.endswith("_count") and last[key] != (float("inf"), sample.value):
            sys.exit(f"{sample}: not the last bucket")


def main():
    for family in text_string_to_metric_families(sys.stdin.read()):
        print(f"{family.type} {family.name}")
        check_buckets(family)
        for sample in family.samples:
            if not sample.name.endswith(("_bucket", "_sum")):
                labels = ", ".join(sample.labels[name] for name in sorted(sample.labels))
                print(f"  {sample.name}: {labels}: {sample.value:g}")


if __name__ == "__main__":
    main()
