import FileFormats
import Method

extension PromptTuningConfiguration: ConfigurationSection {
  package static let fields: [Field<PromptTuningConfiguration>] = [
    Field("num_virtual_tokens", \.virtualTokens, .integer(from: 1, to: 100_000), "virtual tokens to train"),
    Field(
      "prompt_tuning_init", \.initialization, .choice(also: ["SAMPLE_VOCAB": .random, "TEXT": .text]),
      "how they are initialised: \"random\": from tokens drawn by the seed; \"text\": from prompt_tuning_init_text"),
    Field(
      "prompt_tuning_init_text", \.text, .null(or: .text), "text whose tokens, truncated or repeated, initialise them"),
    Field(
      "projection_epsilon", \.projectionEpsilon, .null(or: .nonNegative),
      "radius of a virtual token's ball, times sqrt(width / 2048); null: no ball"),
  ]

  func validate(_ origin: FieldOrigin) throws {
    if initialization == .text, text?.isEmpty ?? true {
      throw origin.error("prompt_tuning_init_text", "is missing; \"prompt_tuning_init\" \"text\" needs it")
    }
    if initialization == .random, text != nil {
      throw origin.error("prompt_tuning_init_text", "needs \"prompt_tuning_init\" \"text\"; set it, or remove the text")
    }
  }
}
