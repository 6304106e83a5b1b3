"""The command line: `python -m harness VERB`; each verb is a file of `harness/verbs/`.

Exit codes: 0 done, 1 some jobs failed, 2 wrong input, 130 stopped by the person. torch is imported only where a job
runs or a cost is counted for the first time.
"""

import sys
from collections.abc import Callable

import typer

from harness import packages
from harness.data.videos import DatasetError
from harness.errors import HarnessError, Interrupted
from harness.verbs import cancel, compare, data, logs, look, plan, profile, report, run, search, status, weights
from harness.verbs.shell import STOPPED, WRONG_INPUT, say_error
from models.registry import ModelError
from results.record import RecordError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A suite file in, a paper-style comparison out: benchmarks and ablations for video classification.",
)

EXAMPLES: dict[Callable[..., None], str] = {
    run.run: "run suites/attention_schemes.yaml --only model.attention=divided,space",
    plan.plan: "plan suites/attention_schemes.yaml --scale paper",
    status.status: "status suites/attention_schemes.yaml --watch",
    cancel.cancel: "cancel suites/attention_schemes.yaml --only model.attention=joint",
    logs.logs: "logs 095350ea05ef --follow",
    report.report: "report suites/attention_schemes.yaml",
    search.search: "search suites/scratch_search.yaml --workers 2",
    compare.compare: "compare suites/attention_schemes.yaml:model.attention=space,data=motion 095350ea05ef",
    weights.weights: "weights SLOWFAST_8x8_R50.pyth",
    profile.profile: "profile timesformer --set model.attention=joint --set clip.size=448",
}
for verb, example in EXAMPLES.items():
    app.command(epilog=f"Example: python -m harness {example}")(verb)
app.add_typer(data.app, name="data")
app.add_typer(look.app, name="look")


def main() -> None:
    """Run the command line; every error that a person can put right ends here, in one line and with exit code 2.

    Ctrl-C where no verb answers it ends in typer, without a word and with exit code 130.
    """
    try:
        packages.check()
        app(standalone_mode=True)
    except Interrupted as stopped:
        say_error(f"{stopped}: finished work and checkpoints are kept; the same command goes on from there")
        sys.exit(STOPPED)
    except (HarnessError, ModelError, RecordError, DatasetError) as error:
        say_error(str(error))
        sys.exit(WRONG_INPUT)
    except OSError as error:
        say_error(f"{error.filename or 'a file'}: cannot be read or written: {error.strerror or error}")
        sys.exit(WRONG_INPUT)
