"""Time CPT steps and evaluation in Hugging Face PEFT: peft_step.py MODEL TOKENS.json THREADS DTYPE → one JSON line.

TOKENS.json (scripts/benchmark writes it): context {ids, types}, batches of rows {ids, types}, evaluation rows, settings.
"""
import json, resource, sys, time, warnings

warnings.filterwarnings("ignore")
import peft, torch, transformers
from peft import CPTConfig, TaskType, get_peft_model

torch.set_num_threads(int(sys.argv[3]))
tokens = json.load(open(sys.argv[2]))
context = tokens["context"]
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=getattr(torch, sys.argv[4]))
model.config.use_cache = False
tuned = get_peft_model(model, CPTConfig(
    task_type=TaskType.CAUSAL_LM, cpt_token_ids=context["ids"], cpt_mask=[1] * len(context["ids"]),
    cpt_tokens_type_mask=context["types"], opt_weighted_loss_type="decay", opt_loss_decay_factor=0.95,
    opt_projection_epsilon=0.2, opt_projection_format_epsilon=0.1))
tuned.train()
for module in tuned.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=tokens["learning_rate"], weight_decay=0.0)
seconds, losses = [], []
for batch in tokens["batches"]:
    ids = torch.tensor([row["ids"] for row in batch])
    types = torch.tensor([row["types"] for row in batch])
    start = time.perf_counter()
    loss = tuned(input_ids=ids, labels=ids.clone(), input_type_mask=types.clone(), attention_mask=torch.ones_like(ids)).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.perf_counter() - start)
    losses.append(loss.item())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
tuned.eval()
start = time.perf_counter()
with torch.no_grad():
    for row in tokens["evaluation"]:
        ids = torch.tensor([row["ids"]])
        tuned(input_ids=ids, attention_mask=torch.ones_like(ids))
evaluation = (time.perf_counter() - start) / max(1, len(tokens["evaluation"]))
print(json.dumps({"step_seconds": seconds, "losses": losses, "evaluation_seconds": evaluation, "peak_bytes": peak,
                  "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}}))
