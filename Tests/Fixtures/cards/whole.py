import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base_model = "model"  # the folder of the model the context was tuned for
adapter = "adapter"  # this folder, or its name on the Hub
tokenizer = AutoTokenizer.from_pretrained(base_model)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_model), adapter).eval()

# Each label, and the word the model predicts for it.
labels = {"billing": "billing", "delivery": "delivery", "returns": "returns", "technical": "technical"}

def encode(text, word):
    before = "message: " + text + " team: "
    found = tokenizer(before + word + "", add_special_tokens=False, return_offsets_mapping=True)
    label = [k for k, (start, end) in enumerate(found["offset_mapping"])
             if start < len(before + word) and (end > len(before) or start >= len(before.rstrip()))]
    return found["input_ids"], label

@torch.no_grad()
def classify(text):
    scores = {}
    for label, word in labels.items():
        ids, positions = encode(text, word)
        tokens = torch.tensor([ids])
        logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits[0, -len(ids):]
        log_probabilities = logits.log_softmax(-1)
        scores[label] = sum(log_probabilities[k - 1, ids[k]].item() for k in positions)
    return max(scores, key=scores.get)

print(classify("a text"))
