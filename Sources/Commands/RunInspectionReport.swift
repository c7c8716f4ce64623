import Diagnostics
import FileFormats
import Insights

/// What `cpt inspect --config` prints.
extension RunInspection {
  /// Tokens of a context without types, and labels, that are shown without `--all`.
  private static let mostTokens = 40, mostLabels = 20

  func text(showsAll: Bool) -> String {
    var parts = [tokenTable(showsAll: showsAll), labelTable(showsAll: showsAll)]
    let findings = labels.findings.prefix(showsAll ? .max : Self.mostLabels)
    var warnings = findings.map { wrapped($0.text, behind: "! ") }
    let hidden = labels.findings.count - findings.count
    if hidden > 0 { warnings.append("… \(hidden) more (--all shows them)") }
    warnings += self.findings.map { wrapped(sentence($0), behind: "! ") }
    if case .failure(let error) = forecast { warnings.append(wrapped("cpt train would stop: \(error)", behind: "! ")) }
    if !warnings.isEmpty { parts.append(warnings.joined(separator: "\n")) }
    if case .success(let (run, time)) = forecast { parts.append((run.facts + time.facts(of: run)).text) }
    return parts.joined(separator: "\n\n")
  }

  /// A finding about the rows as a sentence of its own.
  private func sentence(_ finding: String) -> String {
    finding.prefix(1).uppercased() + visible(String(finding.dropFirst()), space: " ") + "."
  }

  private func tokenTable(showsAll: Bool) -> String {
    let beginning = listing.context.prefix(showsAll ? .max : min(listing.firstExampleCount, Self.mostTokens))
    let rows = (beginning + listing.example).map { entry in
      [
        String(entry.position), String(entry.id), clipped(visible(entry.text), to: 24), String(entry.type),
        entry.role.name, entry.radius.map { fixed($0, 4) } ?? "", entry.weight.map { fixed($0, 3) } ?? "",
      ]
    }
    var lines = table(
      [["#", "id", "token", "type", "role", "radius", "weight"]] + rows, rightAligned: [0, 1, 3, 5, 6]
    ).split(separator: "\n").map(String.init)
    let hidden = listing.context.count - beginning.count
    if hidden > 0 { lines.insert("… \(hidden) more tokens of the context (--all shows them)", at: 1 + beginning.count) }
    lines.insert("\(place), after the context:", at: lines.count - listing.example.count)
    return lines.joined(separator: "\n")
  }

  private func labelTable(showsAll: Bool) -> String {
    let shown = labels.entries.prefix(showsAll ? .max : Self.mostLabels)
    let rows = shown.map { entry in
      [
        clipped(visible(entry.label, space: " "), to: 18),
        clipped(entry.tokens.map { visible($0) }.joined(separator: "|"), to: 22),
      ]
        + [entry.context, entry.training, entry.validation, entry.test].map(String.init)
    }
    let hidden = labels.entries.count - shown.count
    return table(
      [["label", "tokens", "context", "train", "validation", "test"]] + rows, rightAligned: [2, 3, 4, 5])
      + (hidden > 0 ? "\n… \(hidden) more labels (--all shows them)" : "")
  }

  var json: JSON {
    var members: [JSON.Member] = [
      .init("context", .array(listing.context.map(\.json))),
      .init(
        "example",
        .object([.init("row", .string(place)), .init("tokens", .array(listing.example.map(\.json)))])),
      .init("labels", .array(labels.entries.map(\.json))),
      .init("warnings", .array((labels.findings.map(\.text) + findings.map(sentence)).map(JSON.string))),
    ]
    switch forecast {
    case .success(let (run, time)): members.append(.init("forecast", (run.facts + time.facts(of: run)).json))
    case .failure(let error): members.append(.init("error", .string("\(error)")))
    }
    return .object(members)
  }
}

extension TokenListing.Entry {
  fileprivate var json: JSON {
    .object([
      .init("position", .integer(position)), .init("id", .integer(id)), .init("text", .string(text)),
      .init("type", .integer(type)), .init("role", .string(role.name)),
      .init("radius", radius.map(JSON.number) ?? .null), .init("weight", weight.map(JSON.number) ?? .null),
    ])
  }
}

extension LabelListing.Entry {
  fileprivate var json: JSON {
    .object([
      .init("label", .string(label)), .init("word", word.map(JSON.string) ?? .null),
      .init("ids", .array(ids.map(JSON.integer))), .init("tokens", .array(tokens.map(JSON.string))),
      .init("context_rows", .integer(context)), .init("training_rows", .integer(training)),
      .init("validation_rows", .integer(validation)), .init("test_rows", .integer(test)),
    ])
  }
}

extension LabelFinding {
  fileprivate var text: String {
    func name(_ label: String) -> String { quoted(visible(label, space: " ")) }
    func list(_ labels: [String]) -> String {
      let shown = labels.prefix(4).map(name).joined(separator: ", ")
      return labels.count > 4 ? shown + " and \(labels.count - 4) more" : shown
    }
    func pieces(_ tokens: [String]) -> String { tokens.map { visible($0) }.joined(separator: "|") }
    switch self {
    case .beginsOthers(let label, let longer):
      return
        "The tokens of \(name(label)) are a prefix of those of \(list(longer)), which can never win: choose words none "
        + "of which is a prefix of another."
    case .sharedFirstToken(let labels, let token):
      return "\(list(labels)) share their first token, \(visible(token)): only the tokens after it tell them apart."
    case .severalTokens(let labels):
      return "Several tokens each: \(list(labels)). All of them are trained on and scored."
    case .missingSpace(let labels, let tokens, let behindSpace):
      return "Without a space before them: \(list(labels)). In running text the tokenizer writes "
        + "\(pieces(behindSpace)), here \(pieces(tokens)). For the former, begin the words with a space and end "
        + "template.output without one, or set template.tokenization to \"whole\"."
    }
  }
}

extension RunForecast {
  /// What `cpt inspect --config` and `cpt train --dry-run` print.
  var facts: [Fact] {
    let need = plan.contextTokens + longestExample
    return [
      Fact("context_tokens", plan.contextTokens, "context tokens"),
      Fact(
        "training_examples", .integer(plan.trainingExamples), "example tokens",
        "\(shortestExample) to \(longestExample), median \(medianExample), in \(plan.trainingExamples) rows"),
      Fact("shortest_example_tokens", .integer(shortestExample)),
      Fact("median_example_tokens", .integer(medianExample)),
      Fact("longest_example_tokens", .integer(longestExample)),
      Fact("validation_examples", plan.validationExamples, "validation rows"),
      Fact(
        "positions", positions.map(JSON.integer) ?? .null, "window",
        positions.map { "\(need) of \($0) positions (\(percent(Double(need) / Double($0))))" }
          ?? "\(need) positions; the model has no limit"),
      Fact("memory_bytes", .integer(memory), "memory", "about \(byteCount(memory)) at its peak: \(packing)"),
      Fact("packing", .string(packing)),
      Fact("total_steps", .integer(plan.totalSteps), "steps", "\(plan.totalSteps), \(plan.stepsPerEpoch) per epoch"),
      Fact("steps_per_epoch", .integer(plan.stepsPerEpoch)),
      Fact(
        "rank_speedups",
        .object(rankSpeedups.map { .init(String($0.ranks), .number(($0.factor * 100).rounded() / 100)) }),
        rankSpeedups.isEmpty ? nil : "ranks",
        rankSpeedups.map { "\($0.ranks): \(fixed($0.factor, 1))" }.joined(separator: ", ")
          + " times as fast a step (mpirun); each computes the context"),
    ]
  }
}

extension TimeEstimate {
  /// The time that a run will take.
  fileprivate func facts(of run: RunForecast) -> [Fact] {
    let steps = run.plan.totalSteps
    return [
      Fact("operations", .number(operations)), Fact("step_seconds", .number(stepSeconds)),
      Fact("evaluations", .integer(evaluations)), Fact("evaluation_seconds", .number(evaluationSeconds)),
      Fact(
        "total_seconds", .number(totalSeconds), "time",
        (isBound ? "at most " : "") + (totalSeconds < 1 ? "under 1 s" : "about \(duration(totalSeconds))")
          + (steps == 0
            ? " for the evaluation; there are no steps"
            : " for \(counted(steps, "step")) and \(counted(evaluations, "evaluation"))")
          + ", by the time that parts of them took"
          + (isBound ? "; it may stop early" : "")),
    ]
  }
}
