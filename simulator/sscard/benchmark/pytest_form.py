"""A benchmark in the form of pytest-benchmark, whose ``pytest-benchmark compare`` reads it."""

from __future__ import annotations

import platform
from typing import Any, Final

from sscard.benchmark.result import Benchmark, FlowResult
from sscard.i18n.language import say
from sscard.scenario.reports import json
from sscard.version import __version__

FORM: Final = "5.0.0"
"""The version of pytest-benchmark that has this form."""


def write(found: Benchmark) -> str:
    """The text of the file. A round of pytest-benchmark is one operation."""
    started = found.started.isoformat()
    content = {
        "machine_info": {
            "node": platform.node(),
            "processor": say(found.environment.get("processor", "")),
            "machine": platform.machine(),
            "python_compiler": platform.python_compiler(),
            "python_implementation": platform.python_implementation(),
            "python_implementation_version": platform.python_version(),
            "python_version": platform.python_version(),
            "python_build": list(platform.python_build()),
            "release": platform.release(),
            "system": platform.system(),
            "cpu": {"brand_raw": say(found.environment.get("processor", ""))},
        },
        "commit_info": {"id": __version__, "time": started, "author_time": started, "dirty": False, "branch": "sscard"},
        "benchmarks": [_benchmark(flow) for flow in found.flows if flow.recorded.done],
        "datetime": started,
        "version": FORM,
    }
    return json.text(content)


def _benchmark(flow: FlowResult) -> dict[str, Any]:
    latencies = flow.latencies
    low, q1, middle, q3, high = latencies.at(5, 25, 50, 75, 95)
    return {
        "group": None,
        "name": f"sscard bench {flow.name}",
        "fullname": f"sscard bench {flow.name}",
        "params": None,
        "param": None,
        "extra_info": {**latencies.figures(), "failed": flow.failed, "throughput": flow.throughput},
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": 1,
            "max_time": flow.recorded.seconds,
            "min_time": 0.0,
            "warmup": True,
        },
        "stats": {
            "min": latencies.shortest,
            "max": latencies.longest,
            "mean": latencies.mean,
            "stddev": latencies.deviation,
            "rounds": latencies.count,
            "median": middle,
            "iqr": q3 - q1,
            "q1": q1,
            "q3": q3,
            "iqr_outliers": 0,
            "stddev_outliers": 0,
            "outliers": "0;0",
            "ld15iqr": low,
            "hd15iqr": high,
            "ops": 1 / latencies.mean if latencies.mean else 0.0,
            "total": latencies.seconds,
            "iterations": 1,
        },
    }
