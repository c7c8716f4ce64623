/// The page to try the server in a browser.
enum BrowserPage {
  static var answer: Answer {
    Answer(
      text, type: "text/html; charset=utf-8",
      headers: [
        .contentSecurityPolicy:
          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
      ])
  }

  private static let text = """
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>cpt serve</title>
    <style>
    body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
    textarea, input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; }
    label { display: block; margin: 1rem 0 .25rem; }
    button { font: inherit; margin: 1rem 0; padding: .4rem 1.2rem; }
    table { border-collapse: collapse; width: 100%; }
    td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: middle; }
    td:nth-child(2) { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
    td:last-child { width: 50%; }
    meter { width: 100%; }
    #problem { color: #c00; }
    @media (prefers-color-scheme: dark) { #problem { color: #f77; } }
    </style>
    <h1>Classify a text</h1>
    <form id="form">
    <label for="text">Text</label>
    <textarea id="text" rows="5" required></textarea>
    <div id="token-row" hidden><label for="token">Token</label><input id="token" type="password" autocomplete="off"></div>
    <button>Classify</button>
    </form>
    <p id="problem" role="alert"></p>
    <div id="result" aria-live="polite"></div>
    <script>
    const at = id => document.getElementById(id)
    at('form').addEventListener('submit', async event => {
      event.preventDefault()
      at('problem').textContent = ''
      const headers = {'Content-Type': 'application/json'}
      if (at('token').value) headers.Authorization = 'Bearer ' + at('token').value
      try {
        const response = await fetch('v1/classify', {method: 'POST', headers, body: JSON.stringify({input: at('text').value})})
        const answer = await response.json()
        if (response.status === 401) at('token-row').hidden = false
        if (!response.ok) throw new Error(answer.error.message)
        const rows = Object.entries(answer.data[0].probabilities).sort((a, b) => b[1] - a[1]).map(([label, share]) => {
          const row = document.createElement('tr')
          const meter = document.createElement('meter')
          meter.value = share
          meter.setAttribute('aria-label', label)
          for (const part of [label, (100 * share).toFixed(1) + ' %', meter]) {
            const cell = document.createElement('td')
            cell.append(part)
            row.append(cell)
          }
          return row
        })
        const table = document.createElement('table')
        table.append(...rows)
        at('result').replaceChildren(table)
      } catch (error) {
        at('result').replaceChildren()
        at('problem').textContent = error.message
      }
    })
    </script>
    </html>
    """
}
