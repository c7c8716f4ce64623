"""Time CPT steps packed by hand in PyTorch: packed_torch.py MODEL TOKENS.json → one JSON line (GPT-2 only).

The context once, examples behind it through a 4-D mask, logits only where a label is predicted: the strongest thing
a torch user could write. Takes the file scripts/benchmark writes; its losses must equal PEFT's.
"""
import json, resource, sys, time, warnings

warnings.filterwarnings("ignore")
import torch, transformers

torch.set_num_threads(int(sys.argv[3]))
tokens = json.load(open(sys.argv[2]))
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, attn_implementation="sdpa")
model.config.use_cache = False
model.eval()
for parameter in model.parameters():
    parameter.requires_grad_(False)
ids, types = tokens["context"]["ids"], torch.tensor(tokens["context"]["types"])
P, words = len(ids), model.get_input_embeddings().weight
base = words[torch.tensor(ids)].clone()
delta = torch.zeros_like(base, requires_grad=True)
scale = (base.shape[1] / 2048) ** 0.5
radius = torch.full((P,), 1e-10)
radius[(types > 0) & ((types % 4 == 1) | (types % 4 == 3))] = 0.1 * scale
radius[(types > 0) & (types % 4 == 2)] = 0.2 * scale
trained = ((types > 0) & (types % 4 != 0)).float()[:, None]
optimizer = torch.optim.AdamW([delta], lr=tokens["learning_rate"], weight_decay=0.0)
labels = [i for i in range(P) if types[i] > 0 and types[i] % 4 == 0]
seconds, losses = [], []
for batch in tokens["batches"]:
    B, Q = len(batch), len(batch[0]["ids"])
    N = P + B * Q
    infinity = float("-inf")
    mask = torch.full((N, N), infinity)
    mask[:P, :P] = torch.triu(torch.full((P, P), infinity), 1)
    for b in range(B):
        s = P + b * Q
        mask[s:s + Q, :P] = 0
        mask[s:s + Q, s:s + Q] = torch.triu(torch.full((Q, Q), infinity), 1)
    positions = torch.cat([torch.arange(P)] + [torch.arange(P, P + Q)] * B)[None]
    start = time.perf_counter()
    with torch.no_grad():
        norm = delta.norm(dim=1)
        moved = norm > 0
        delta[moved] *= (radius[moved] / torch.maximum(norm[moved], radius[moved]))[:, None]
    examples = torch.tensor([i for row in batch for i in row["ids"]])
    hidden = model.transformer(inputs_embeds=torch.cat([base + delta, words[examples]])[None],
                               attention_mask=mask[None, None], position_ids=positions).last_hidden_state[0]
    rows, targets, weights = [], [], []
    for j, i in enumerate(labels):
        rows.append(i - 1), targets.append(ids[i]), weights.append(B * 0.95 ** (len(labels) - j))
    for b, row in enumerate(batch):
        for j, kind in enumerate(row["types"]):
            if kind == 4:
                rows.append(P + b * Q + j - 1), targets.append(row["ids"][j]), weights.append(1.0)
    logits = hidden[torch.tensor(rows)] @ words.t()
    entropy = torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none")
    loss = (entropy * torch.tensor(weights)).sum() / (B * (len(labels) + 1))
    loss.backward()
    delta.grad *= trained
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - start)
    losses.append(loss.item())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"step_seconds": seconds, "losses": losses, "peak_bytes": peak}))
