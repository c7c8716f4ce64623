import FileFormats
import Method

extension HeadConfiguration: ConfigurationSection {
  package static let fields: [Field<HeadConfiguration>] = [
    Field(
      "classifier", \.classifier, .choice,
      "\"ridge\": ridge regression of the labels; \"centroid\": the label of the nearest mean"),
    Field("context", \.showsContext, .flag, "whether the context's examples precede a row"),
    Field(
      "strength", \.strength, .null(or: .positive),
      "strength of the ridge, relative to the mean squared norm of a row; null: chosen by leaving rows out"),
  ]

  func validate(_ origin: FieldOrigin) throws {
    if strength != nil, classifier != .ridge {
      throw origin.error("strength", "needs \"classifier\" \"ridge\"; set it, or remove the strength")
    }
  }
}
