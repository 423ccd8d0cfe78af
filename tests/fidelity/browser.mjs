// Clicks through the pages that administrators see, in headless Chromium, against a running
// service and both simulators: every state of a connect link, both consents, and the API's page.
// Needs TANDEM_URL, TANDEM_KEY, TANDEM_STORE (the service's file, in which a link is made to expire),
// SIM_HUBSPOT_URL and SIM_SALESFORCE_URL; CHROMIUM names another browser, SHOTS a folder for
// pictures of every page in three sizes and shades.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import puppeteer from 'puppeteer-core'

const need = (name) => {
  const value = process.env[name]
  if (!value) {
    console.error(`${name} is not set`)
    process.exit(1)
  }
  return value
}
const service = need('TANDEM_URL').replace(/\/$/, '')
const key = need('TANDEM_KEY')
const sims = { hubspot: need('SIM_HUBSPOT_URL'), salesforce: need('SIM_SALESFORCE_URL') }
const store = need('TANDEM_STORE')
const shots = process.env.SHOTS

function chromium() {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome']
  for (const name of names.filter(Boolean)) {
    const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' })
    if (found.status === 0) return found.stdout.trim()
  }
  console.error('no Chromium was found; install it, or name it in CHROMIUM')
  process.exit(1)
}

const options = {
  executablePath: chromium(),
  args: [
    // The sandbox refuses root, which is who runs this in a container.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    // Nothing but this machine can be reached, whatever a page or the browser itself asks for.
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
}
// A browser that dies while it starts, as it does now and then, says nothing about the pages.
const launch = () => puppeteer.launch(options)
const browser = await launch().catch(launch).catch(launch)

let passed = 0
let failed = 0

async function check(name, body) {
  try {
    await body()
    passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}: ${error.stack}`)
  }
}

async function api(method, path, body) {
  const answer = await fetch(`${service}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : undefined,
  })
  const text = await answer.text()
  assert.ok(answer.ok, `${path}: ${answer.status} ${text}`)
  return text ? JSON.parse(text) : null
}

async function control(side, path, body) {
  const answer = await fetch(`${sims[side]}/_sim/${path}`, {
    method: 'POST', body: JSON.stringify(body),
  })
  assert.equal(answer.status, 200, await answer.text())
}

// A fresh browser that complains about whatever a person would not see: faults on the console,
// requests to anywhere else, and refusals by the page's own policy.
async function person() {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  const faults = []
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`))
  page.on('console', (message) => {
    // The browser itself says so when a page is answered with 400 or 404, as some must be.
    const ofThePage = message.location().url === page.url()
    const status = message.text().startsWith('Failed to load resource') && ofThePage
    if (['error', 'warn'].includes(message.type()) && !status) faults.push(message.text())
  })
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url())
    const here = ['127.0.0.1', 'localhost'].includes(hostname)
    if (!here || protocol !== 'http:') faults.push(`a request to ${request.url()}`)
  })
  return { page, faults, close: () => context.close() }
}

const sizes = [
  { name: 'phone', width: 360, height: 740, shade: 'light' },
  { name: 'wide', width: 1280, height: 800, shade: 'light' },
  { name: 'dark', width: 1280, height: 800, shade: 'dark' },
]
let taken = 0

// What every page must be, at every width: it has a title and one heading, whatever can be
// operated has a name, and nothing is wider than the window.
async function sound({ page, faults }, title) {
  assert.equal(await page.title(), title)
  assert.equal((await page.$$('h1')).length, 1)
  assert.equal(await page.$eval('html', (html) => html.lang), 'en')
  const seen = await page.accessibility.snapshot()
  const nodes = (node) => [node, ...(node.children ?? []).flatMap(nodes)]
  for (const node of nodes(seen)) {
    if (['button', 'link', 'radio', 'textbox', 'checkbox'].includes(node.role)) {
      assert.ok(node.name?.trim(), `a ${node.role} without a name on "${title}"`)
    }
  }
  taken += 1
  for (const { name, width, height, shade } of sizes) {
    await page.setViewport({ width, height })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: shade }])
    const wide = await page.evaluate(() => document.documentElement.scrollWidth)
    assert.ok(wide <= width, `"${title}" is ${wide} wide on a screen of ${width}`)
    const file = `${shots}/${String(taken).padStart(2, '0')}-${name}.png`
    if (shots) await page.screenshot({ path: file })
  }
  assert.deepEqual(faults, [])
}

const text = (page) => page.$eval('body', (body) => body.innerText)

// Presses what has these words on it, and waits for the next page.
async function press(page, words) {
  const found = await page.$$('button, a')
  for (const one of found) {
    const label = await one.evaluate((node) => node.innerText.trim())
    if (label === words) {
      await Promise.all([page.waitForNavigation(), one.click()])
      return
    }
  }
  assert.fail(`there is no "${words}" on ${page.url()}`)
}

const ws = `browser/run-${Date.now().toString(36)}`
const link = async (side) =>
  (await api('POST', `/workspaces/${ws}/connect-links`, { side })).url
const states = async () => {
  const { items } = await api('GET', `/workspaces/${ws}/connections`)
  return Object.fromEntries(items.map((one) => [one.side, one.state]))
}
// No link lives for less than an hour, and the service runs by the clock of the machine.
function expireLinks() {
  const script = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as store:
    done = store.execute("UPDATE connect_links SET expires_at = created_at WHERE used_at IS NULL")
    assert done.rowcount > 0`
  const done = spawnSync('python3', ['-c', script, store], { encoding: 'utf8' })
  assert.equal(done.status, 0, done.stderr)
}
const portals = { hubspot: 'HubSpot', salesforce: 'Salesforce' }
const words = { hubspot: ['Connect app', 'Cancel'], salesforce: ['Allow', 'Deny'] }

await api('POST', '/workspaces', { id: ws })

for (const side of ['hubspot', 'salesforce']) {
  const [yes, no] = words[side]
  const title = `Connect ${portals[side]}`
  const consent = `Connect to ${portals[side]}`

  await check(`${portals[side]}: a link, declined, taken up again, agreed to, used up`, async () => {
    const me = await person()
    const address = await link(side)
    await me.page.goto(address)
    await sound(me, title)
    assert.match(await text(me.page), /Not connected/)
    await press(me.page, title)
    await sound(me, consent)
    await press(me.page, no)
    await sound(me, 'You declined')
    assert.equal((await states())[side], 'not-connected')
    await press(me.page, 'Back to the link')
    assert.match(await text(me.page), /Not connected/)
    await me.page.focus('button')
    await Promise.all([me.page.waitForNavigation(), me.page.keyboard.press('Enter')])
    await press(me.page, yes)
    await sound(me, title)
    assert.equal(me.page.url(), address, 'the code stays out of the history')
    assert.match(await text(me.page), /Connected as account/)
    assert.match(await text(me.page), /connects nothing more/)
    assert.equal((await me.page.$$('button')).length, 0)
    assert.equal((await states())[side], 'connected')
    await me.close()
  })
}

await check('both sides are connected', async () => {
  assert.deepEqual(await states(), { hubspot: 'connected', salesforce: 'connected' })
})

await check('Salesforce: an address that is none of theirs is refused, and one can go back', async () => {
  const me = await person()
  await me.page.goto(await link('salesforce'))
  await me.page.click('input[value=domain]')
  await me.page.type('input[name=domain]', 'login.example.com')
  await press(me.page, 'Connect Salesforce')
  await sound(me, 'This is no Salesforce address')
  await press(me.page, 'Back to the link')
  await sound(me, 'Connect Salesforce')
  await me.close()
})

await check('Salesforce: an app that no administrator has installed is told in words', async () => {
  await control('salesforce', 'options', { app_installed: false })
  try {
    const me = await person()
    await me.page.goto(await link('salesforce'))
    await press(me.page, 'Connect Salesforce')
    await sound(me, 'Your Salesforce administrator must install the app first')
    await me.close()
  } finally {
    await control('salesforce', 'options', { app_installed: true })
  }
})

await check('a link that expires while its page is open connects nothing', async () => {
  const me = await person()
  const address = await link('hubspot')
  await me.page.goto(address)
  await sound(me, 'Connect HubSpot')
  expireLinks()
  await press(me.page, 'Connect HubSpot')
  for (const again of [false, true]) {
    if (again) await me.page.goto(address)
    await sound(me, 'Connect HubSpot')
    assert.match(await text(me.page), /This link has expired\. Ask whoever sent it for a new one/)
    assert.equal((await me.page.$$('button')).length, 0)
  }
  await me.close()
})

await check('a changed address is no link, and an answer for another browser connects nothing', async () => {
  const me = await person()
  await me.page.goto(`${await link('hubspot')}x`)
  await sound(me, 'This is no connect link')
  await me.page.goto(await link('hubspot'))
  await press(me.page, 'Connect HubSpot')
  const forwarded = me.page.url()
  const other = await person()
  await other.page.goto(forwarded)
  await press(other.page, words.hubspot[0])
  await sound(other, 'Please start again')
  await other.close()
  await me.close()
})

await check('Salesforce: another organisation is the wrong account', async () => {
  await control('salesforce', 'sandbox_refresh', {})
  const me = await person()
  await me.page.goto(await link('salesforce'))
  await press(me.page, 'Connect Salesforce')
  await press(me.page, words.salesforce[0])
  await sound(me, 'Wrong account')
  assert.match(await text(me.page), /Nothing was changed/)
  await me.close()
})

await check('the page about the API, without any network', async () => {
  const me = await person()
  await me.page.goto(`${service}/docs`)
  await sound(me, "Tandem's API")
  const rows = await me.page.$$eval('dt', (all) => all.length)
  assert.ok(rows > 20, `${rows} operations`)
  await press(me.page, '/openapi.json')
  await me.close()
})

await browser.close()
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
