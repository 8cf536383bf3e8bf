"""Figures of several seeds as one."""

from evaluation.seeds import mean_of


def run(hit, low, *, asked, share, missing=None):
    cell = {"hit@10": {"mean": hit, "low": low, "high": None}, "asked": asked, "asked_share": share, "regret": missing}
    return {"dataset": "shop", "searches": 6, "contenders": {"learned": {"all": cell}}}


def test_every_figure_is_the_mean_of_its_runs():
    both = mean_of([run(0.5, 0.25, asked=2, share={"lexical": 1.0, "memory": 0.5}), run(0.75, 0.5, asked=1, share={"lexical": 0.5})])
    assert both == {
        "dataset": "shop",
        "searches": 6,
        "contenders": {
            "learned": {
                "all": {
                    "hit@10": {"mean": 0.625, "low": 0.375, "high": None},
                    "asked": 1.5,
                    "asked_share": {"lexical": 0.75, "memory": 0.25},  # memory was never asked in the second run
                    "regret": None,
                }
            }
        },
    }


def test_one_run_is_itself():
    one = run(0.5, 0.25, asked=2.0, share={"lexical": 1.0})
    assert mean_of([one]) == one
