"""What tests call srun: starts the tasks here, tells them who they are, ends all when one fails."""

import os
import signal
import subprocess
import sys
import time

options = [a for a in sys.argv[1:] if a.startswith("--")]
command = sys.argv[1 + len(options) :]
n_tasks = int(next(o.split("=")[1] for o in options if o.startswith("--ntasks=")))
tasks = [
    subprocess.Popen(
        command,
        env=os.environ | {"SLURM_PROCID": str(i), "SLURM_NTASKS": str(n_tasks), "SLURM_LOCALID": "0"},
        stdout=None if i == 0 else subprocess.DEVNULL,
    )
    for i in range(n_tasks)
]
signal.signal(signal.SIGUSR1, lambda *_: [task.send_signal(signal.SIGUSR1) for task in tasks])
while any(task.poll() is None for task in tasks):
    for i, task in enumerate(tasks):
        if task.poll() not in (None, 0):
            print(f"srun: error: here: task {i}: Exited with exit code {task.returncode}", file=sys.stderr)
            time.sleep(1)
            for other in tasks:
                other.kill()
            sys.exit(1)
    time.sleep(0.1)
