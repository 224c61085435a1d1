"""No sequence sees another: a batch says what each sequence says alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rlv.models.heads import VerificationHead
from rlv.prompts import label_ids, verification_ids
from rlv.training.batches import micro_batches
from rlv.training.forward import Reader, solution_logprobs

CPU = torch.device("cpu")


def read(model, tokenizer, trajectories, chosen, padded_tokens=10_000):
    instruction = verification_ids(tokenizer, "plain")
    (batch,) = micro_batches(
        trajectories, chosen, instruction, padded_tokens=padded_tokens, pad_id=0, device=CPU
    )
    with torch.no_grad():
        return batch, Reader(model, label_ids(tokenizer))(batch)


def test_batch_equals_plain_forward_of_each_alone(tiny_model, tiny_tokenizer, trajectories):
    assert tiny_model.config._attn_implementation == "sdpa"
    batch, reading = read(tiny_model, tiny_tokenizer, trajectories, range(9))
    yes, no = label_ids(tiny_tokenizer)
    expected_S, expected_B2 = [], []
    for i in batch.trajectories_B.tolist():
        x, y = trajectories[i].prompt_ids, trajectories[i].solution_ids
        ids = torch.tensor([[*x, *y, *verification_ids(tiny_tokenizer, "plain")]])
        with torch.no_grad():
            logprobs_TV = tiny_model(ids).logits[0].log_softmax(-1)
        expected_S += [logprobs_TV[len(x) - 1 + t, token] for t, token in enumerate(y)]
        expected_B2.append(logprobs_TV[-1, [yes, no]])
    torch.testing.assert_close(reading.logprobs_S, torch.stack(expected_S), atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(reading.verification_BX, torch.stack(expected_B2), atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("victim", [0, 4, 8])
def test_changing_one_sequence_leaves_the_others_bit_for_bit(
    tiny_model, tiny_tokenizer, trajectories, victim
):
    before_batch, before = read(tiny_model, tiny_tokenizer, trajectories, range(9))
    old = trajectories[victim]
    trajectories[victim] = dataclasses.replace(
        old,
        prompt_ids=tuple(35 - i for i in old.prompt_ids),
        solution_ids=tuple(35 - i for i in old.solution_ids),
    )
    _, after = read(tiny_model, tiny_tokenizer, trajectories, range(9))
    others_B = before_batch.trajectories_B != victim
    assert torch.equal(before.verification_BX[others_B], after.verification_BX[others_B])
    assert not torch.equal(before.verification_BX[~others_B], after.verification_BX[~others_B])
    owner_S = torch.repeat_interleave(
        before_batch.trajectories_B,
        torch.tensor([len(trajectories[i].solution_ids) for i in before_batch.trajectories_B.tolist()]),
    )
    assert torch.equal(before.logprobs_S[owner_S != victim], after.logprobs_S[owner_S != victim])


def test_padding_token_does_not_matter(tiny_model, tiny_tokenizer, trajectories):
    def logprobs(pad_id):
        batches = micro_batches(trajectories, range(9), (), padded_tokens=10_000, pad_id=pad_id, device=CPU)
        n_tokens = sum(len(t.solution_ids) for t in trajectories)
        return solution_logprobs(Reader(tiny_model), batches, n_tokens)[0]

    assert torch.equal(logprobs(0), logprobs(17))


def test_the_instruction_leaves_the_solutions_alone(tiny_model, tiny_tokenizer, trajectories):
    batch, with_instruction = read(tiny_model, tiny_tokenizer, trajectories, range(9))
    batches = micro_batches(trajectories, range(9), (), padded_tokens=50, pad_id=0, device=CPU)
    n_tokens = sum(len(t.solution_ids) for t in trajectories)
    without_S, _ = solution_logprobs(Reader(tiny_model), batches, n_tokens)
    torch.testing.assert_close(with_instruction.logprobs_S, without_S[batch.slots_S], atol=2e-6, rtol=1e-5)


def test_a_head_reads_the_last_token_of_the_solution(tiny_model, trajectories):
    head = VerificationHead("bce", 32)
    with torch.no_grad():
        head.weight.copy_(torch.randn(32, generator=torch.Generator().manual_seed(1)))
    (batch,) = micro_batches(trajectories, range(9), (), padded_tokens=10_000, pad_id=0, device=CPU)
    with torch.no_grad():
        reading = Reader(tiny_model, head=head)(batch)
    expected_B = []
    for i in batch.trajectories_B.tolist():
        ids = torch.tensor([[*trajectories[i].prompt_ids, *trajectories[i].solution_ids]])
        with torch.no_grad():
            hidden_TH = tiny_model(ids, output_hidden_states=True).hidden_states[-1][0]
        expected_B.append(hidden_TH[-1] @ head.weight + head.bias[0])
    torch.testing.assert_close(reading.verification_BX[:, 0], torch.stack(expected_B), atol=1e-5, rtol=1e-5)


def test_where_only_labels_are_learned_only_they_meet_the_vocabulary(
    tiny_model, tiny_tokenizer, trajectories
):
    labels, instruction = label_ids(tiny_tokenizer), verification_ids(tiny_tokenizer, "plain")
    (batch,) = micro_batches(trajectories, range(9), instruction, padded_tokens=10_000, pad_id=0, device=CPU)
    rows: list[int] = []
    hook = tiny_model.lm_head.register_forward_hook(lambda m, i, o: rows.append(o.numel() // o.shape[-1]))
    try:
        with torch.no_grad():
            reading = Reader(tiny_model, labels, reads_solutions=False)(batch)
    finally:
        hook.remove()
    assert reading.logprobs_S is None and sum(rows) == 9
    _, both = read(tiny_model, tiny_tokenizer, trajectories, range(9))
    assert torch.equal(reading.verification_BX, both.verification_BX)
