import ContextTuning
import FileFormats
import Kernels

/// What `cpt inspect` looks at: each has a flag that names it.
private enum Subject: String, CaseIterable {
  case configuration = "--config"
  case checkpoint = "--checkpoint"
  case model = "--model"

  /// The one the flags name; a model beside a checkpoint is the one to use for it.
  ///
  /// - Throws: `InputError.usage` where there is none, two, or a flag of another.
  init(_ arguments: Arguments) throws {
    let named = Self.allCases.filter { arguments.has($0.rawValue) && $0 != .model }
    guard let subject = named.first ?? (arguments.has(Self.model.rawValue) ? .model : nil) else {
      throw InputError.usage(
        "inspect", "expected --config FILE (a run before it starts), --model DIR or --checkpoint DIR")
    }
    let flagsOfOthers =
      switch subject {
      case .configuration: ["--checkpoint", "--model"]
      case .checkpoint: ["--set", "--row"]
      case .model: ["--set", "--row", "--all"]
      }
    if let other = flagsOfOthers.first(where: arguments.has) {
      throw InputError.usage(other, "does not go with \(subject.rawValue); leave one of them out")
    }
    self = subject
  }
}

extension Command {
  static let inspect = Command(
    name: "inspect",
    group: .look,
    summary: "Look at a run before it starts, at a model, or at what a prompt learnt.",
    example: "cpt inspect --config configs/quickstart/quickstart.json",
    flags: [
      Flag(name: "--config", value: .file, help: "a run: its tokens, labels, lengths, memory, time"),
      Flag(name: "--checkpoint", value: .folder, help: "a tuned prompt: what moved, how far, where to"),
      Flag(name: "--model", value: .folder, help: "a model; or that of --checkpoint, in place of its own"),
      Flag(name: "--row", value: .number("N"), help: "of --config: show the Nth training row (default: 1)"),
      Flag(name: "--all", help: "show every token and label, not the first or farthest"),
      Flag(name: "--set", value: .setting, help: "override a key of the configuration", isRepeatable: true),
      .threads, .json, .help,
    ],
    run: runInspect)
}

private func runInspect(_ arguments: Arguments) throws -> Int32 {
  let subject = try Subject(arguments)
  let team = ThreadTeam(threads: try arguments.threads()), showsAll = arguments.has("--all")
  let text: String, json: JSON
  switch subject {
  case .configuration:
    let row = try arguments.integer("--row", from: 1) ?? 1
    let configuration = try Configuration(
      file: arguments.required(subject.rawValue), overrides: arguments.overrides())
    let inspection = try RunInspection(Experiment(configuration, team: team), row: row - 1)
    (text, json) = (inspection.text(showsAll: showsAll), inspection.json)
  case .checkpoint:
    let adapter = try Adapter(folder: arguments.required(subject.rawValue))
    let (model, tokenizer) = try arguments.model(of: adapter)
    let inspection = try PromptInspection(
      adapter, over: model, tokenizer: tokenizer, neighbours: 3, mostMoved: showsAll ? nil : 10, team: team)
    (text, json) = (inspection.text(of: adapter, over: model.folder), inspection.json)
  case .model:
    let facts = try ModelInspection(folder: arguments.required(subject.rawValue)).facts
    (text, json) = (facts.text, facts.json)
  }
  try printResult(arguments.has("--json") ? json.pretty : text)
  return 0
}

/// Something that is known, for people and for programs.
private struct Fact {
  let key: String
  let json: JSON
  /// What it is called in a table; nil: only programs are told.
  let name: String?
  let text: String

  init(_ key: String, _ json: JSON, _ name: String?, _ text: String) {
    self.key = key
    self.json = json
    self.name = name
    self.text = text
  }

  init(_ key: String, _ number: Int, _ name: String?) { self.init(key, .integer(number), name, String(number)) }
}

extension [Fact] {
  fileprivate var text: String {
    let rows = compactMap { fact in fact.name.map { ($0, fact.text) } }
    let width = rows.map { columns(of: $0.0) }.max() ?? 0
    return rows.map { wrapped($1, behind: padded($0, to: width + 2)) }.joined(separator: "\n")
  }

  fileprivate var json: JSON { .object(map { .init($0.key, $0.json) }) }
}

// MARK: - A run before it starts

extension RunInspection {
  /// Tokens of a context without types, and labels, that are shown without `--all`.
  private static let mostTokens = 40, mostLabels = 20

  fileprivate func text(showsAll: Bool) -> String {
    var parts = [tokenTable(showsAll: showsAll), labelTable(showsAll: showsAll)]
    let findings = labels.findings.prefix(showsAll ? .max : Self.mostLabels).map(\.text)
    if !findings.isEmpty { parts.append(findings.map { wrapped($0, behind: "! ") }.joined(separator: "\n")) }
    switch forecast {
    case .success(let forecast): parts.append(forecast.facts.text)
    case .failure(let error): parts.append(wrapped("cpt train would stop: \(error)", behind: "! "))
    }
    return parts.joined(separator: "\n\n")
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
    lines.insert("\(place), behind the context:", at: lines.count - listing.example.count)
    return lines.joined(separator: "\n")
  }

  private func labelTable(showsAll: Bool) -> String {
    let shown = labels.entries.prefix(showsAll ? .max : Self.mostLabels)
    let rows = shown.map { entry in
      [clipped(visible(entry.label), to: 18), clipped(entry.tokens.map(visible).joined(separator: "|"), to: 22)]
        + [entry.context, entry.training, entry.validation, entry.test].map(String.init)
    }
    let hidden = labels.entries.count - shown.count
    return table(
      [["label", "tokens", "context", "train", "validation", "test"]] + rows, rightAligned: [2, 3, 4, 5])
      + (hidden > 0 ? "\n… \(hidden) more labels (--all shows them)" : "")
  }

  fileprivate var json: JSON {
    var members: [JSON.Member] = [
      .init("context", .array(listing.context.map(\.json))),
      .init(
        "example",
        .object([.init("row", .string(place)), .init("tokens", .array(listing.example.map(\.json)))])),
      .init("labels", .array(labels.entries.map(\.json))),
      .init("warnings", .array(labels.findings.map { .string($0.text) })),
    ]
    switch forecast {
    case .success(let forecast): members.append(.init("forecast", forecast.facts.json))
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
    func list(_ labels: [String]) -> String {
      let shown = labels.prefix(4).map { "\"\($0)\"" }.joined(separator: ", ")
      return labels.count > 4 ? shown + " and \(labels.count - 4) more" : shown
    }
    func pieces(_ tokens: [String]) -> String { tokens.map(visible).joined(separator: "|") }
    switch self {
    case .beginsAnother(let label, let longer):
      return "The tokens of \"\(label)\" begin those of \"\(longer)\", which could then never win: choose other words."
    case .sharedFirstToken(let labels, let token):
      return "\(list(labels)) begin with the same token, \(visible(token)): only what follows tells them apart."
    case .severalTokens(let labels):
      return "Of several tokens: \(list(labels)). All of them are trained on and scored."
    case .missingSpace(let labels, let tokens, let behindSpace):
      return "Without a space before them: \(list(labels)). In running text the tokenizer writes "
        + "\(pieces(behindSpace)), here \(pieces(tokens)). For the former, begin the words with a space and end "
        + "template.output without one, or set template.tokenization to \"whole\"."
    }
  }
}

extension RunForecast {
  fileprivate var facts: [Fact] {
    let need = plan.contextTokens + longestExample
    return [
      Fact("context_tokens", plan.contextTokens, "context tokens"),
      Fact(
        "training_examples", .integer(plan.trainingExamples), "example tokens",
        "\(shortestExample) to \(longestExample), median \(medianExample), in \(plan.trainingExamples) rows"),
      Fact("shortest_example_tokens", shortestExample, nil), Fact("median_example_tokens", medianExample, nil),
      Fact("longest_example_tokens", longestExample, nil),
      Fact(
        "positions", positions.map(JSON.integer) ?? .null, "window",
        positions.map { "\(need) of \($0) positions (\(percent(Double(need) / Double($0))))" }
          ?? "\(need) positions; the model has no limit"),
      Fact("memory_bytes", .integer(memory), "memory", "about \(byteCount(memory)) at the peak: \(packing)"),
      Fact("total_steps", plan.totalSteps, nil), Fact("step_seconds", .number(time.stepSeconds), nil, ""),
      Fact(
        "total_seconds", .number(time.totalSeconds), "time",
        "about \(duration(time.totalSeconds)) for \(plan.totalSteps) steps and their evaluations, by the operations they "
          + "take and the speed of matrix products now"),
    ]
  }
}

// MARK: - A model

extension ModelInspection {
  fileprivate var facts: [Fact] {
    let decoder = model.decoder
    var facts = [Fact("family", .string(model.family), "family", model.family)]
    facts.append(Fact("layers", decoder.blocks.count, "layers"))
    facts.append(
      Fact(
        "width", .integer(decoder.hiddenWidth), "width",
        decoder.width == decoder.hiddenWidth
          ? "\(decoder.width)" : "\(decoder.hiddenWidth), embeddings \(decoder.width)"))
    facts.append(Fact("embedding_width", decoder.width, nil))
    if let block = decoder.blocks.first {
      let attention = block.attention
      facts.append(
        Fact(
          "heads", .integer(attention.heads), "heads",
          "\(attention.heads) of \(attention.headSize), keys and values \(attention.keyValueHeads)"))
      facts.append(Fact("key_value_heads", attention.keyValueHeads, nil))
      facts.append(Fact("head_size", attention.headSize, nil))
      facts.append(Fact("feed_forward", block.up.weight.outputs, "feed-forward"))
    }
    facts.append(
      Fact("positions", decoder.maximumPositions.map(JSON.integer) ?? .null, "positions", positions))
    facts.append(Fact("vocabulary", decoder.vocabularySize, "vocabulary"))
    facts.append(
      Fact("parameters", .integer(decoder.parameters), "parameters", inMillions(decoder.parameters)))
    let types = Dictionary(model.tensors.map { ($0.type, $0.count) }, uniquingKeysWith: +)
      .sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map(\.key.rawValue)
    let bytes = model.tensors.reduce(0) { $0 + $1.count * $1.type.size }
    facts.append(
      Fact("bytes_on_disk", .integer(bytes), "on disk", "\(byteCount(bytes)) of \(types.joined(separator: ", "))"))
    facts.append(Fact("dtypes", .array(types.map(JSON.string)), nil, ""))
    facts.append(Fact("memory_bytes", .integer(memory), "memory", "about \(byteCount(memory)) with all weights read"))
    return facts + tokenizerFacts
  }

  private var positions: String {
    let decoder = model.decoder
    let attention = decoder.blocks.map(\.attention)
    let kind =
      decoder.positionEmbeddings != nil
      ? "learned" : !decoder.rotaries.isEmpty ? "rotary" : attention.contains { !$0.slopes.isEmpty } ? "ALiBi" : "none"
    let count = decoder.maximumPositions.map(String.init) ?? "no limit"
    let windows = attention.compactMap(\.window)
    guard let window = windows.min() else { return "\(count), \(kind)" }
    return "\(count), \(kind); \(windows.count) of \(attention.count) layers see \(window) tokens back"
  }

  private var tokenizerFacts: [Fact] {
    switch tokenizer {
    case .failure(let error):
      return [
        Fact("tokenizer", .null, "tokenizer", "none: \(error)"), Fact("tokenizer_error", .string("\(error)"), nil, ""),
      ]
    case .success(let tokenizer):
      let added = tokenizer.addedTokenIDs, size = tokenizer.vocabularySize, rows = model.decoder.vocabularySize
      func special(_ key: String, _ name: String, _ token: Result<Int, any Error>) -> Fact {
        switch token {
        case .success(let id): Fact(key, .integer(id), name, "\(visible(tokenizer.text(of: id))), id \(id)")
        case .failure(let error): Fact(key, .null, name, "none: \(error)")
        }
      }
      return [
        Fact(
          "tokenizer", .string(tokenizer.algorithm), "tokenizer",
          "\(tokenizer.algorithm), \(size) tokens, \(added.count) of them added"),
        Fact("tokenizer_vocabulary", size, nil), Fact("added_tokens", added.count, nil),
        special("end_of_text", "end of text", endOfText),
        special("beginning_of_text", "beginning of text", beginningOfText),
        Fact(
          "vocabularies_fit", .bool(size <= rows), "fit",
          size <= rows
            ? "every token has its embedding" + (size < rows ? "; \(rows - size) rows are spare" : "")
            : "! tokens from id \(rows) on have no embedding: is it the model's own tokenizer?"),
      ]
    }
  }
}

/// A number of parameters: "124.4 M".
private func inMillions(_ count: Int) -> String {
  count < 1_000_000
    ? "\(count)" : count < 1_000_000_000 ? fixed(Double(count) / 1e6, 1) + " M" : fixed(Double(count) / 1e9, 2) + " G"
}

// MARK: - A tuned prompt

extension PromptInspection {
  fileprivate func text(of adapter: Adapter, over model: String) -> String {
    let trained = geometry.drifts.filter(\.role.isTrained)
    let trainedCount = trained.reduce(0) { $0 + $1.tokens }, onSurface = trained.reduce(0) { $0 + $1.onSurface }
    let outside = geometry.drifts.reduce(0) { $0 + $1.outside }
    let head =
      "\(prompt.context.count) tokens of width \(prompt.width), \(trainedCount) of them trained"
      + (step.map { ", after step \($0)" } ?? "") + ", over \(model)"
    let rows = geometry.drifts.map { drift in
      [drift.role.name, String(drift.tokens)]
        + (drift.role.isTrained
          ? [
            drift.radius.map { fixed($0, 4) } ?? "", fixed(drift.mean, 4), drift.shareOfRadius.map(percent) ?? "",
            fixed(drift.largest, 4), percent(Double(drift.onSurface) / Double(drift.tokens)),
          ] : [])
    }
    let drift = table(
      [["role", "tokens", "radius", "moved", "of radius", "farthest", "on surface"]] + rows,
      rightAligned: [1, 2, 3, 4, 5, 6])
    var notes = [
      wrapped(
        "\(onSurface) of \(trainedCount) trained tokens are on the surface of their ball. The change has an effective rank "
          + "of \(fixed(geometry.effectiveRank, 1)) of \(geometry.singularValues.count); its largest singular values: "
          + geometry.singularValues.prefix(8).map { fixed(Double($0), 3) }.joined(separator: " ") + ".")
    ]
    if outside > 0 {
      notes.append(
        wrapped(
          "\(outside) tokens lie outside their balls, where training leaves none: was the prompt trained over another "
            + "model?", behind: "! "))
    }
    let tokens = listing.entries.map { entry in
      [
        String(entry.position), clipped(visible(entry.text), to: 14), entry.role.name, fixed(entry.distance, 4),
        entry.shareOfRadius.map(percent) ?? "",
        clipped(entry.nearest.map { visible($0.text) }.joined(separator: "  "), to: 24),
      ]
    }
    let title = listing.entries.count < prompt.context.count ? "moved farthest" : "token"
    return [
      wrapped(head), drift, notes.joined(separator: "\n"),
      table(
        [["#", title, "role", "moved", "of radius", "nearest tokens"]] + tokens, rightAligned: [0, 3, 4]),
    ].joined(separator: "\n\n")
  }

  fileprivate var json: JSON {
    .object([
      .init("tokens", .integer(prompt.context.count)), .init("width", .integer(prompt.width)),
      .init("step", step.map(JSON.integer) ?? .null),
      .init("drift", .array(geometry.drifts.map(\.json))),
      .init("effective_rank", .number(geometry.effectiveRank)),
      .init("singular_values", .array(geometry.singularValues.map { .number(Double($0)) })),
      .init("listing", .array(listing.entries.map(\.json))),
    ])
  }
}

extension PromptGeometry.Drift {
  fileprivate var json: JSON {
    .object([
      .init("role", .string(role.name)), .init("tokens", .integer(tokens)),
      .init("radius", radius.map(JSON.number) ?? .null), .init("mean", .number(mean)),
      .init("share_of_radius", shareOfRadius.map(JSON.number) ?? .null), .init("largest", .number(largest)),
      .init("on_surface", .integer(onSurface)), .init("outside", .integer(outside)),
    ])
  }
}
