"""A reasoner behind OpenAI's API: N solutions a question, verified, voted on, and the winner as the answer.

requests.py reads what was asked, responses.py writes what came out, worker.py has the one thread that runs
the model and the places in front of it, app.py the addresses, server.py the socket. For users:
docs/serving.md.
"""
