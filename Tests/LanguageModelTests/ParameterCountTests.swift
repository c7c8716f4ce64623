import LanguageModel
import Testing
import TestSupport

/// `num_parameters()` of transformers' model of each config.json (`AutoModelForCausalLM.from_config`).
private let expected = [
  "bloom": 35520, "bloom-postnorm": 23376, "falcon-11b": 21024, "falcon-40b": 21750, "falcon-7b": 18270,
  "falcon-rw": 23184, "gemma": 16604, "gemma2": 18144, "gemma3_text": 18208, "gpt_neo": 22640, "gpt_neox": 17886,
  "gpt_neox-sequential": 17598, "gptj": 25282, "llama": 23576, "llama-bias": 20082, "llama-dynamic": 23576,
  "llama-linear": 23576, "llama-llama3": 25592, "llama-yarn": 25592, "mistral": 21336, "olmo2": 24528, "opt": 21079,
  "opt-350m": 21655, "phi": 16333, "phi-qknorm": 21717, "phi3": 21696, "phi3-longrope": 21696, "qwen2": 18788,
  "qwen2-window": 20832, "qwen3": 19284, "starcoder2": 20385,
  // Norms without parameters hold gains of one here: 7 of 28.
  "opt-nobias": 20132 + 7 * 28,
]

@Suite struct ParameterCountTests {
  @Test(arguments: try FamilyGoldens().cases)
  func equalsTransformers(golden: FamilyGoldens.Case) throws {
    #expect(try FrozenModel(path: golden.folder).decoder.parameters == expected[golden.name])
  }
}
