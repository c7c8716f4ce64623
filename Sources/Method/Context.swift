import Diagnostics

/// The tokens before every input, whose embeddings are tuned.
package struct Context: Sendable, Equatable {
  package let tokens: TypedTokens
  /// The tokens of each example, with the separators after it; empty if the context does not consist of known examples.
  package let exampleRanges: [Range<Int>]

  /// A context of given tokens, without those whose mask is 0.
  ///
  /// PEFT stores the mask but never reads it. Leaving the tokens out is its only sensible meaning, and the adapter we
  /// write lists only the remaining tokens, so PEFT computes the same.
  package init(tokenIDs: [Int], mask: [Int]?, types: [Int]?) {
    let kept = tokenIDs.indices.filter { mask?[$0] != 0 }
    tokens = TypedTokens(ids: kept.map { tokenIDs[$0] }, types: kept.map { types?[$0] ?? 1 })
    exampleRanges = []
  }

  /// A context of encoded examples, example k's types raised by 4k.
  package init(examples: [TypedTokens], beginning: [Int]) {
    var tokens = TypedTokens(ids: beginning, types: beginning.map { _ in 0 })
    var ranges: [Range<Int>] = []
    for (index, example) in examples.enumerated() {
      ranges.append(tokens.count..<(tokens.count + example.count))
      tokens.append(example.raisingTypes(by: 4 * index))
    }
    self.tokens = tokens
    exampleRanges = ranges
  }

  /// A context that starts with virtual tokens, the only trained ones; later tokens are fixed and not predicted.
  package init(virtualTokens: [Int], before fixed: TypedTokens) {
    tokens = TypedTokens(
      ids: virtualTokens + fixed.ids,
      types: virtualTokens.map { _ in TokenRole.inputTemplate.rawValue }
        + fixed.ids.map { _ in TokenRole.none.rawValue })
    exampleRanges = []
  }

  package var count: Int { tokens.count }

  /// The number of labelled examples in it: each label has its own type.
  package var exampleCount: Int { Set(tokens.labelPositions.map { tokens.types[$0] }).count }

  /// Checks that the tokens are in the vocabulary and leave room for an example.
  ///
  /// - Throws: `InputError.badData`.
  package func validate(vocabularySize: Int, maximumPositions: Int, place: String) throws {
    guard count > 0 else { throw InputError.badData(place, "the context is empty; it needs at least one token") }
    if let id = tokens.ids.first(where: { $0 >= vocabularySize }) {
      throw InputError.badData(place, "context token id \(id) is outside the model's vocabulary of \(vocabularySize)")
    }
    guard count < maximumPositions else {
      throw InputError.badData(
        place,
        "the context has \(count) tokens, the model \(maximumPositions) positions; use fewer or shorter context examples"
      )
    }
  }
}
