"""The openai package against the service: URL, file of keys."""

import sys
from concurrent.futures import ThreadPoolExecutor

import openai

url, env = sys.argv[1], sys.argv[2]
keys = dict(line.strip().split("=", 1) for line in open(env))
messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Every row"}]


def client(name, **options):
    return openai.OpenAI(base_url=f"{url}/v1", api_key=keys[name], **options)


def stream(seed):
    chunks = client("ANALYST_KEY").chat.completions.create(
        model="babble", messages=messages, max_tokens=80, seed=seed, stream=True, stream_options={"include_usage": True}
    )
    text, usage, finish, pieces = "", None, None, 0
    for chunk in chunks:
        if chunk.choices:
            piece = chunk.choices[0].delta.content or ""
            text, pieces, finish = text + piece, pieces + bool(piece), chunk.choices[0].finish_reason or finish
        usage = chunk.usage or usage
    assert pieces == usage.completion_tokens and finish in ("stop", "length"), (pieces, usage, finish)
    return text, usage.total_tokens


whole = client("ANALYST_KEY").chat.completions.create(model="babble", messages=messages, max_tokens=80, seed=5)
text, tokens = stream(5)
assert (text, tokens) == (whole.choices[0].message.content, whole.usage.total_tokens)
print(f"stream and whole answer agree: {text[:60]!r}…, {tokens} tokens")
with ThreadPoolExecutor(40) as pool:
    total = sum(tokens for _, tokens in pool.map(stream, range(200)))
print(f"200 streams, 40 at once: {total} tokens, each piece a token")
print("models:", ", ".join(model.id for model in client("ANALYST_KEY").models.list()))

for name, call, wanted in [
    ("REVOKED_KEY", {}, openai.AuthenticationError),
    ("GUEST_KEY", {}, openai.PermissionDeniedError),
    ("ANALYST_KEY", {"model": "gpt-none"}, openai.NotFoundError),
    ("ANALYST_KEY", {"max_tokens": 0}, openai.BadRequestError),
]:
    try:
        arguments = {"model": "babble", "messages": messages, "max_tokens": 5} | call
        client(name, max_retries=0).chat.completions.create(**arguments)
        sys.exit(f"{name} {call}: was answered")
    except wanted as error:
        print(f"{wanted.__name__}: {error.body['message']}")
