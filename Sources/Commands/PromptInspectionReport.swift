import Diagnostics
import FileFormats
import Insights

/// What `cpt inspect --checkpoint` prints.
extension PromptInspection {
  /// The inspection as text; `model` is the model's path.
  func text(over model: String) -> String {
    if let head {
      return wrapped("\(head.text); behind \(counted(prompt.context.count, "untrained token")), for \(model)")
    }
    let trained = geometry.drifts.filter(\.role.isTrained)
    let trainedCount = trained.reduce(0) { $0 + $1.tokens }, onSurface = trained.reduce(0) { $0 + $1.onSurface }
    let outside = geometry.drifts.reduce(0) { $0 + $1.outside }
    let head =
      "\(prompt.context.count) tokens of width \(prompt.width), \(trainedCount) of them trained"
      + (step.map { ", after step \($0)" } ?? "") + ", for \(model)"
    let rows = geometry.drifts.map { drift in
      [drift.role.name, String(drift.tokens)]
        + (drift.role.isTrained
          ? [
            drift.radius.map { fixed($0, 4) } ?? "", fixed(drift.mean, 4), drift.shareOfRadius.map(percent) ?? "",
            fixed(drift.largest, 4),
            drift.radius.map { _ in percent(Double(drift.onSurface) / Double(drift.tokens)) } ?? "",
          ] : [])
    }
    let drift = table(
      [["role", "tokens", "radius", "moved", "of radius", "farthest", "on surface"]] + rows,
      rightAligned: [1, 2, 3, 4, 5, 6])
    var facts = [
      "The change has an effective rank of \(fixed(geometry.effectiveRank, 1)) of \(geometry.singularValues.count); its "
        + "largest singular values: "
        + geometry.singularValues.prefix(8).map { fixed(Double($0), 3) }.joined(separator: " ") + "."
    ]
    if trained.contains(where: { $0.radius != nil }) {
      facts.insert("\(onSurface) of \(trainedCount) trained tokens are on the surface of their ball.", at: 0)
    }
    var notes = [wrapped(facts.joined(separator: " "))]
    if outside > 0 {
      notes.append(
        wrapped(
          "\(outside) tokens lie outside their balls, which training does not allow; check that the prompt was trained "
            + "with this model", behind: "! "))
    }
    let tokens = listing.entries.map { entry in
      [
        String(entry.position), clipped(visible(entry.text), to: 14), entry.role.name, fixed(entry.distance, 4),
        entry.shareOfRadius.map(percent) ?? "",
        clipped(entry.nearest.map { visible($0.text) }.joined(separator: "  "), to: 22),
      ]
    }
    let title = listing.entries.count < prompt.context.count ? "moved farthest" : "token"
    return [
      wrapped(head), drift, notes.joined(separator: "\n"),
      table(
        [["#", title, "role", "moved", "of radius", "nearest tokens"]] + tokens, rightAligned: [0, 3, 4]),
    ].joined(separator: "\n\n")
  }

  /// The inspection as JSON.
  var json: JSON {
    .object([
      .init("tokens", .integer(prompt.context.count)), .init("width", .integer(prompt.width)),
      .init("step", step.map(JSON.integer) ?? .null), .init("head", head?.json ?? .null),
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
