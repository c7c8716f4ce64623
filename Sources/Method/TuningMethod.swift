import Diagnostics
import Tokenization

/// What of the prompt is trained: the paper's method and those it is compared with, all by one engine.
///
/// They differ in the tokens of the context, in their types and in the balls; what follows is the same for all.
package enum TuningMethod: String, CaseIterable, Sendable {
  /// Context-aware prompt tuning: the embeddings of examples, each in its ball.
  case cpt
  /// In-context learning: the same examples, nothing trained.
  case icl
  /// Prompt tuning (Lester et al. 2021, arXiv 2104.08691): virtual tokens without a ball, no examples.
  case promptTuning = "prompt_tuning"
  /// Instruction prompt tuning (Singhal et al. 2022, arXiv 2212.13138): virtual tokens before examples that stay.
  case instructionPromptTuning = "instruction_prompt_tuning"

  /// The name in tables.
  package var abbreviation: String {
    switch self {
    case .cpt: "CPT"
    case .icl: "ICL"
    case .promptTuning: "PT"
    case .instructionPromptTuning: "IPT"
    }
  }

  /// Whether virtual tokens are trained, in place of the examples' own.
  package var trainsVirtualTokens: Bool { self == .promptTuning || self == .instructionPromptTuning }

  /// Whether examples stand in the context.
  package var showsExamples: Bool { self != .promptTuning }
}

/// The `prompt_tuning` section, in PEFT's names: the virtual tokens of methods that have them.
package struct PromptTuningConfiguration: Sendable, Equatable {
  /// Where virtual tokens start.
  package enum Initialization: String, CaseIterable, Sendable {
    /// At tokens drawn from the vocabulary by the seed, as PEFT's `SAMPLE_VOCAB`.
    case random
    /// At the tokens of a text, cut or repeated to their number, as PEFT's `TEXT`.
    case text
  }

  package var virtualTokens = 20
  package var initialization = Initialization.random
  package var text: String?

  package init() {}
}

extension PromptTuningConfiguration {
  /// The tokens whose embeddings virtual tokens start at.
  ///
  /// - Throws: `InputError.badData` for a text there is no tokenizer for, or that has no tokens.
  package func tokens(vocabularySize: Int, tokenizer: Tokenizer?, seed: Int) throws -> [Int] {
    switch initialization {
    case .random:
      var generator = SeededGenerator(seed: seed, .virtualTokens)
      return (0..<virtualTokens).map { _ in Int.random(in: 0..<vocabularySize, using: &generator) }
    case .text:
      guard let tokenizer else {
        throw InputError.missing(
          "prompt_tuning.prompt_tuning_init_text", "needs a tokenizer; set tokenizer_name_or_path")
      }
      guard let text else { preconditionFailure("the configuration was checked: \"text\" has a text") }
      let ids = tokenizer.encode(text).map(\.id)
      guard !ids.isEmpty else {
        throw InputError.badData("prompt_tuning.prompt_tuning_init_text", "has no tokens; give a longer text")
      }
      return (0..<virtualTokens).map { ids[$0 % ids.count] }
    }
  }
}
