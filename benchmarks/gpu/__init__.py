"""Whether rlv works on a GPU and how fast, in eight minutes: one command, one table, one JSON file.

    PYTHONPATH=. python -m benchmarks.gpu --out gpu.json        # on a machine with an H100 or H200
    python -m benchmarks.gpu --small                            # every part, tiny, on a CPU: does it run?
    python -m benchmarks.gpu --parts a,c

a, correctness.py: losses, gradients, log-probabilities and scores against the CPU. b, resume.py: a training
that is killed goes on as if it had not been. c, step.py: speed and memory of a training step at 1.5 B
parameters, and what verification adds. d, peer.py: the same step by TRL. e, engines.py: sampling and scoring
beside plain transformers. f, cores.py: voting and grading on the processor.

Every part runs in a process of its own (worker.py) and writes each row of the table when it has it, so
neither the end of the time nor a crash takes more than the row that was being measured. Left out on purpose:
vLLM and several GPUs, which a bare machine with one GPU does not have.
"""
