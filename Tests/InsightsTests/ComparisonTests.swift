import FileFormats
import Insights
import System
import Testing
import TestSupport

@Suite struct ComparisonTests {
  /// The form of the file: its keys and their order. Folders and summary follow from the cells.
  @Test func filesKeepTheirForm() throws {
    let cell =
      #"{"method": "icl", "seed": 3, "folder": "icl-seed-3", "accuracy": 0.5, "accuracy_stderr": 0.25, "#
      + #""macro_f1": 0.375, "loss": 1.5, "train_seconds": 2.0}"#
    func spread(_ value: Double) -> String {
      #"{"mean": \#(value), "sd": null, "worst": \#(value), "best": \#(value)}"#
    }
    let head =
      #"{"config": "/c.json", "settings": ["training.seed=3"], "split": "test", "methods": ["cpt", "icl"], "#
      + #""seeds": [3], "cells": [\#(cell)], "summary": "#
    let summary =
      #"[{"method": "icl", "seeds": 1, "accuracy": \#(spread(0.5)), "macro_f1": \#(spread(0.375))}]"#
    try withTemporaryFolder { folder in
      try writeAtomically(head + "[]}", to: folder + "/" + Comparison.file)
      let comparison = try Comparison(folder: folder)
      #expect(comparison.cells.map(\.folder) == ["icl-seed-3"])
      #expect(comparison.json.compact == head + summary + "}")
    }
  }
}
