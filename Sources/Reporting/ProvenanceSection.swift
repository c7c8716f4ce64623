import Diagnostics
import System

/// The sources of a run's numbers, and how to reproduce them.
struct ProvenanceSection {
  let run: RunRecord
  /// The version of the program that writes the report.
  let version: String
  let level: Int

  var html: HTML {
    let configuration = run.configuration
    let data = configuration.data
    let facts: [(String, String?)] = [
      ("run", absolutePath(run.path)), ("adapter shown", run.adapterFolder.map(absolutePath)),
      ("metrics last written", run.date), ("model", configuration.baseModel),
      ("training rows", data.train), ("validation rows", data.validation ?? data.validationFraction.map { drawn($0) }),
      ("test rows", data.test ?? data.testFraction.map { drawn($0) }),
      ("fingerprint of context, training and validation tokens", run.fingerprint), ("report by", "cpt \(version)"),
    ]
    return tag(
      "section", [:], heading(level, "Provenance"),
      details(
        "Files, and the command that repeats the run",
        tag(
          "dl", ["class": "facts"],
          facts.flatMap { name, value in
            value.map { [tag("dt", [:], .text(name)), tag("dd", [:], .text($0))] } ?? []
          }),
        tag(
          "pre", [:],
          tag("code", [:], .text("cpt train --config \(shellWord(run.path + "/config.json")) --output NEW-FOLDER")))),
      details(
        "Resolved configuration", tag("pre", [:], tag("code", [:], .text(configuration.resolvedJSON.pretty)))))
  }

  private func drawn(_ fraction: Double) -> String { "\(percentage(fraction)) of the training rows, drawn by the seed" }
}
