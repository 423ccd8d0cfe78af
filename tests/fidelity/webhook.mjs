// Signs webhooks with HubSpot's own client and sends them to a running service: what it signed is
// taken, what anybody else made up is refused. Needs TANDEM_URL, TANDEM_PUBLIC_URL and
// SIM_HUBSPOT_CLIENT_SECRET.

import assert from 'node:assert/strict'
import { Signature } from '@hubspot/api-client'

const { TANDEM_URL: url, TANDEM_PUBLIC_URL: publicUrl, SIM_HUBSPOT_CLIENT_SECRET: secret } = process.env
if (!url || !publicUrl || !secret) {
  console.error('set TANDEM_URL, TANDEM_PUBLIC_URL and SIM_HUBSPOT_CLIENT_SECRET')
  process.exit(1)
}

const PATH = '/webhooks/hubspot'
const events = JSON.stringify([
  { eventId: 1, portalId: 999, objectId: 7, subscriptionType: 'contact.creation' },
  { eventId: 2, portalId: 999, objectId: 8, subscriptionType: 'contact.propertyChange',
    propertyName: 'lastname', propertyValue: 'Ødegård "ü" / 日本' },
])

let passed = 0
let failed = 0

async function check(name, body) {
  try {
    await body()
    passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}: ${error.message}`)
  }
}

/** What HubSpot would send, as its own client signs it; `changed` is what reaches the service. */
async function send({ path = PATH, clientSecret = secret, age = 0, method = 'POST', version = 'v3' } = {},
  changed = {}) {
  const timestamp = Date.now() - age
  const signature = Signature.getSignature(method, version, {
    clientSecret, requestBody: events, url: `${publicUrl}${path}`, timestamp,
  })
  const answer = await fetch(`${url}${changed.path ?? path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': changed.signature ?? signature,
      'x-hubspot-request-timestamp': String(changed.timestamp ?? timestamp),
    },
    body: changed.body ?? events,
  })
  const text = await answer.text()
  return { status: answer.status, code: text ? JSON.parse(text).code : undefined, signature, timestamp }
}

async function taken(signed) {
  const { status } = await send(signed)
  assert.equal(status, 200)
}

async function refused(signed, changed) {
  const { status, code } = await send(signed, changed)
  assert.deepEqual([status, code], [401, 'unauthenticated'])
}

await check('what HubSpot signed is taken', () => taken())
await check('with a query too', () => taken({ path: `${PATH}?source=app&n=1` }))
await check('four minutes late is not too late', () => taken({ age: 240_000 }))
await check('its client finds the same signature good', async () => {
  const { signature, timestamp } = await send()
  assert.ok(Signature.isValid({
    signatureVersion: 'v3', signature, timestamp, clientSecret: secret, requestBody: events,
    url: `${publicUrl}${PATH}`,
  }))
})

await check('another secret is refused', () => refused({ clientSecret: 'guessed' }))
await check('six minutes late is too late', () => refused({ age: 360_000 }))
await check('six minutes early is too early', () => refused({ age: -360_000 }))
await check('another body is refused', () => refused({}, { body: `${events} ` }))
await check('another time is refused', () => refused({}, { timestamp: Date.now() + 1_000 }))
await check('another path is refused', () => refused({}, { path: `${PATH}?portal=1` }))
await check('another method is refused', () => refused({ method: 'PUT' }))
await check('an older signature is refused', () => refused({ version: 'v2' }))
await check('no signature is refused', () => refused({}, { signature: '' }))

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
