"""One pass for trainer and scorer: it does with the logits what each family's own forward pass does."""

from __future__ import annotations

import copy
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from rlv.errors import ModelError
from rlv.models.heads import VerificationHead
from rlv.models.reading import Passage, Rows, check_reading, grouped, judged, label_logprobs, read
from rlv.prompts import label_ids, verification_ids
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions
from rlv.training.batches import Trajectory, micro_batches
from rlv.training.forward import Reader
from rlv.training.learner import make_learner
from rlv.training.run import Run

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
CHANGED = {
    "granite": {"logits_scaling": 8.0, "residual_multiplier": 0.5, "attention_multiplier": 0.3},
    "cohere": {"logit_scale": 0.25},
    "gemma2": {"final_logit_softcapping": 2.0},
}


def model_of(family, tokenizer, **changes):
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        family, **{**SIZES, "vocab_size": len(tokenizer), **CHANGED.get(family, {}), **changes}
    )
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def solved(n):
    rng = np.random.default_rng(3)
    made = []
    for i in range(n):
        x, y = (tuple(rng.integers(5, 30, rng.integers(1, 9)).tolist()) for _ in range(2))
        made.append(Trajectory(f"p{i}", 0, x, y, (0.0,) * len(y), True, 1.0, (1.0,) * len(y)))
    return made


@pytest.mark.parametrize("family", CHANGED)
def test_log_probabilities_and_scores_are_those_of_the_models_own_forward(tiny_tokenizer, family):
    model, trajectories = model_of(family, tiny_tokenizer), solved(9)
    check_reading(model)
    instruction, (yes, no) = verification_ids(tiny_tokenizer, "plain"), label_ids(tiny_tokenizer)
    (batch,) = micro_batches(
        trajectories, range(9), instruction, padded_tokens=10_000, pad_id=0, device=torch.device("cpu")
    )
    with torch.no_grad():
        reading = Reader(model, (yes, no))(batch)
    prompts, solutions = [t.prompt_ids for t in trajectories], [t.solution_ids for t in trajectories]
    verifier = transformers_verifier(SCORES["judge"], model, tiny_tokenizer)
    scores_B, *_ = score_solutions(verifier, prompts, solutions, "plain")
    expected_S = []
    order = batch.trajectories_B.tolist()
    for row, i in enumerate(order):
        x, y = prompts[i], solutions[i]
        with torch.no_grad():
            own_TV = model(torch.tensor([[*x, *y, *instruction]])).logits[0].log_softmax(-1)
        expected_S += [own_TV[len(x) - 1 + k, token] for k, token in enumerate(y)]
        torch.testing.assert_close(reading.verification_BX[row], own_TV[-1, [yes, no]], atol=1e-5, rtol=0)
        assert scores_B[i] == pytest.approx(own_TV[-1, yes].exp().item(), abs=1e-5)
    torch.testing.assert_close(reading.logprobs_S, torch.stack(expected_S), atol=1e-5, rtol=0)
    # What is applied matters here: without it, the same weights say something else.
    plain = copy.deepcopy(model)
    for key in ("logits_scaling", "logit_scale"):
        if hasattr(plain.config, key):
            setattr(plain.config, key, 1.0)
    plain.config.final_logit_softcapping = None
    with torch.no_grad():
        assert (Reader(plain)(batch).logprobs_S - reading.logprobs_S).abs().max() > 0.1


def passages_of(n, places):
    """Sequences with places that are read, of each its own: steps that end anywhere, or all tokens."""
    rng = np.random.default_rng(5)
    made = []
    for t in solved(n):
        ids, first = [*t.prompt_ids, *t.solution_ids], len(t.prompt_ids)
        tokens = list(range(first, len(ids)))
        steps = sorted(rng.choice(tokens, size=min(3, len(tokens)), replace=False).tolist())
        made.append(Passage(ids, *{"steps": (steps, steps), "tokens": (tokens, tokens)}[places]))
    return made


@pytest.mark.parametrize("places", ["steps", "tokens"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_any_places_are_read_as_in_a_full_pass_of_each_alone(tiny_model, places, temperature):
    passages = passages_of(8, places)
    head = VerificationHead("bce", 32)
    with torch.no_grad():
        head.weight.copy_(torch.randn(32, generator=torch.Generator().manual_seed(1)))
        rows = Rows.of(passages, torch.device("cpu"), pad_id=3)
        words = read(tiny_model, rows, partial(label_logprobs, tiny_model, (7, 9)), temperature=temperature)
        headed = read(tiny_model, rows, head)
    assert headed.logprobs_S is None and headed.as_sampled_S is None
    logprobs, sampled, labels, outputs = [], [], [], []
    for passage in passages:
        with torch.no_grad():
            own = tiny_model(torch.tensor([passage.ids]), output_hidden_states=True)
        own_TV, hidden_TH = own.logits[0], own.hidden_states[-1][0]
        for t in passage.predicted:
            logprobs.append((own_TV[t - 1] / temperature).log_softmax(-1)[passage.ids[t]])
            sampled.append(own_TV[t - 1].log_softmax(-1)[passage.ids[t]])
        labels += [own_TV[t].log_softmax(-1)[[7, 9]] for t in passage.judged]
        outputs += [hidden_TH[t] @ head.weight + head.bias for t in passage.judged]
    for found, expected in (
        (words.logprobs_S, logprobs),
        (words.as_sampled_S, sampled),
        (words.verification_BX, labels),
        (headed.verification_BX, outputs),
    ):
        torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=0)
    # Passage by passage, in the order given, whatever the batches.
    for padded_tokens in (1, 40, 10_000):
        parts = judged(tiny_model, passages, head, padded_tokens=padded_tokens)
        assert [len(part) for part in parts] == [len(passage.judged) for passage in passages]
        np.testing.assert_allclose(np.concatenate(parts), torch.stack(outputs).detach(), atol=1e-5)


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200), st.booleans())
def test_groups_hold_every_sequence_once_within_the_budget(lengths, padded_tokens, longest_first):
    groups = grouped(dict(enumerate(lengths)), padded_tokens, longest_first=longest_first)
    order = [i for group in groups for i in group]
    sign = -1 if longest_first else 1
    assert order == sorted(range(len(lengths)), key=lambda i: (sign * lengths[i], i))
    padded = [len(group) * max(lengths[i] for i in group) for group in groups]
    assert all(n <= padded_tokens or len(g) == 1 for n, g in zip(padded, groups, strict=True))
    # None could take the first of the next.
    for group, after in pairwise(groups):
        assert (len(group) + 1) * max(lengths[i] for i in (*group, after[0])) > padded_tokens


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "qwen2", "phi", "gpt_neox", *CHANGED])
def test_families_that_are_read_right_pass(tiny_tokenizer, family, dtype):
    check_reading(model_of(family, tiny_tokenizer).to(dtype))


# One multiplies by what another divides by, one has a name of its own for it.
UNKNOWN = [
    ("hyperclovax", {"logits_scaling": 0.5}, torch.float32),
    ("hyperclovax", {"logits_scaling": 0.5}, torch.bfloat16),
    ("falcon_h1", {"lm_head_multiplier": 3.0}, torch.float32),
]


@pytest.mark.parametrize(("family", "changes", "dtype"), UNKNOWN)
def test_what_is_not_known_is_refused_by_trainer_and_scorer(tiny_tokenizer, family, changes, dtype):
    model = model_of(family, tiny_tokenizer, **changes).to(dtype)
    with pytest.raises(ModelError, match=r"does with the logits .* nats"):
        make_learner(model, tiny_tokenizer, Run.of())
    with pytest.raises(ModelError, match=type(model).__name__):
        transformers_verifier(SCORES["judge"], model, tiny_tokenizer)


def test_a_check_leaves_the_model_as_it_was(tiny_model):
    model = copy.deepcopy(tiny_model).train()
    check_reading(model)
    assert model.training and all(p.grad is None for p in model.parameters())
    weight = model.lm_head.weight.data
    weight[3, 3] = float("nan")
    check_reading(model)  # what is not finite is reported where it is met, by its place
    assert np.isnan(weight[3, 3].item())
