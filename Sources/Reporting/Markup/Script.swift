/// What makes the table of predictions sortable and filterable; without it, that is a plain table.
///
/// It is inserted as text, so it contains no characters that are escaped.
let script = """
  "use strict";
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var body = table.tBodies[0], rows = Array.from(body.rows), heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () {
        var goesDown = head.getAttribute("aria-sort") === "ascending", isNumber = head.className === "number";
        heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", goesDown ? "descending" : "ascending");
        rows.sort(function (one, other) {
          var a = one.cells[column].textContent, b = other.cells[column].textContent;
          var order = isNumber ? parseFloat(a) - parseFloat(b) : a.localeCompare(b, undefined, { numeric: true });
          return goesDown ? -order : order;
        });
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });
    var controls = document.getElementById(table.id + "-filter");
    var search = controls.querySelector("input[type=search]"), wrong = controls.querySelector("input[type=checkbox]");
    function filter() {
      var words = search.value.toLowerCase(), shown = 0;
      rows.forEach(function (row) {
        var isShown = row.textContent.toLowerCase().includes(words);
        if (wrong.checked) isShown = isShown ? row.className === "wrong" : false;
        row.hidden = !isShown;
        shown += isShown ? 1 : 0;
      });
      controls.querySelector("output").textContent = shown + " of " + rows.length + " rows";
    }
    search.addEventListener("input", filter);
    wrong.addEventListener("change", filter);
    controls.hidden = false;
    filter();
  });
  """

/// The hash by which the page's policy knows the script: nothing else runs, whatever the page contains.
let scriptHash = "sha256-tJcHqh0SZjl+RY6p7kVRLnOZK/OCM9uPBOjld0rCHwg="
