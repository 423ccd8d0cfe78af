// Drives a running HubSpot simulator with HubSpot's own client: where it stumbles, the simulator
// is wrong. Needs SIM_HUBSPOT_URL and SIM_HUBSPOT_TOKEN; SIM_HUBSPOT_CLIENT_ID, ..._CLIENT_SECRET
// and ..._REFRESH_TOKEN when they differ from the simulator's defaults.

import assert from 'node:assert/strict'
import { Client } from '@hubspot/api-client'

const url = process.env.SIM_HUBSPOT_URL
const token = process.env.SIM_HUBSPOT_TOKEN
if (!url || !token) {
  console.error('set SIM_HUBSPOT_URL and SIM_HUBSPOT_TOKEN')
  process.exit(1)
}

const hubspot = new Client({
  accessToken: token,
  basePath: url,
  limiterOptions: { minTime: 10, maxConcurrent: 4 },
  numberOfApiCallRetries: 3,
})
const impatient = () =>
  new Client({ accessToken: token, basePath: url, numberOfApiCallRetries: 0 })

const run = Date.now().toString(36)
const email = (name) => `${name}.${run}@example.com`
const link = (category, id) => ({ associationCategory: category, associationTypeId: id })

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

async function control(path, body) {
  const answer = await fetch(`${url}/_sim/${path}`, {
    method: body ? 'POST' : 'GET',
    body: body ? JSON.stringify(body) : undefined,
  })
  const json = await answer.json()
  assert.equal(answer.status, 200, JSON.stringify(json))
  return json
}

async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail('was accepted'),
    (caught) => caught,
  )
  return { status: error.code, body: error.body }
}

const { contacts, companies, deals, objects } = hubspot.crm
let made = []

await check('batch create with trace ids, one hundred at a time', async () => {
  for (const batch of [0, 1, 2]) {
    const inputs = Array.from({ length: 100 }, (_, n) => ({
      objectWriteTraceId: `${batch}-${n}`,
      properties: {
        email: email(`person${batch * 100 + n}`),
        firstname: `Person ${n}`,
        lastname: run,
        loyalty_points: String(n),
      },
      associations: [],
    }))
    const answer = await contacts.batchApi.create({ inputs })
    assert.equal(answer.status, 'COMPLETE')
    assert.equal(answer.results.length, 100)
    assert.equal(new Set(answer.results.map((one) => one.objectWriteTraceId)).size, 100)
    assert.ok(answer.results[0].createdAt instanceof Date)
    made.push(...answer.results.map((one) => one.id))
  }
})

await check('list all records page by page', async () => {
  const all = await contacts.getAll(100, undefined, ['email', 'lastname'])
  const mine = all.filter((one) => one.properties.lastname === run)
  assert.equal(mine.length, 300)
  const ids = all.map((one) => BigInt(one.id))
  assert.ok(ids.every((id, at) => at === 0 || id > ids[at - 1]))
})

await check('read one record by id and by e-mail, with history', async () => {
  const byKey = await contacts.basicApi.getById(
    email('person5'), ['email', 'phone'], ['firstname'], undefined, false, 'email')
  assert.equal(byKey.properties.phone, null)
  assert.equal(byKey.propertiesWithHistory.firstname[0].sourceType, 'INTEGRATION')
  const byId = await contacts.basicApi.getById(byKey.id)
  assert.equal(byId.properties.email, email('person5'))
})

await check('a batch create succeeds in part', async () => {
  const answer = await contacts.batchApi.create({
    inputs: [
      { objectWriteTraceId: 'good', properties: { email: email('partly') }, associations: [] },
      { objectWriteTraceId: 'taken', properties: { email: email('person1') }, associations: [] },
      { objectWriteTraceId: 'bad', properties: { email: 'nobody' }, associations: [] },
    ],
  })
  assert.equal(answer.numErrors, 2)
  assert.equal(answer.results.length, 1)
  const conflict = answer.errors.find((one) => one.category === 'CONFLICT')
  assert.deepEqual(conflict.context.objectWriteTraceId, ['taken'])
  const invalid = answer.errors.find((one) => one.category === 'VALIDATION_ERROR')
  assert.equal(invalid.errors[0].code, 'INVALID_EMAIL')
  made.push(answer.results[0].id)
})

await check('a duplicate e-mail is a 409 that names the existing record', async () => {
  const client = impatient().crm.contacts.basicApi
  const { status, body } = await refusal(
    client.create({ properties: { email: email('person1') }, associations: [] }))
  assert.equal(status, 409)
  assert.match(body.message, /Existing ID:\s*\d+/)
})

await check('a refused property is named', async () => {
  const { status, body } = await refusal(
    contacts.basicApi.update(made[0], { properties: { nonsense: '1', hs_object_id: '2' } }))
  assert.equal(status, 400)
  assert.deepEqual(
    body.errors.map((one) => one.code).sort(), ['PROPERTY_DOESNT_EXIST', 'READ_ONLY_VALUE'])
})

await check('batch read with a missing id', async () => {
  const inputs = [...made.slice(0, 50).map((id) => ({ id })), { id: '404404' }]
  const answer = await contacts.batchApi.read(
    { inputs, properties: ['email'], propertiesWithHistory: [] })
  assert.equal(answer.results.length, 50)
  assert.deepEqual(answer.errors[0].context.ids, ['404404'])
})

await check('update and batch update show stored values', async () => {
  const one = await contacts.basicApi.update(
    made[0], { properties: { email: ` ${email('PERSON-NEW')} `, interests: 'training;analytics' } })
  assert.equal(one.properties.email, email('person-new'))
  assert.equal(one.properties.interests, 'analytics;training')
  const inputs = made.slice(1, 11).map((id) => ({ id, properties: { city: 'Ulm' } }))
  const many = await contacts.batchApi.update({ inputs })
  assert.deepEqual(
    many.results.map((row) => row.id).sort(), inputs.map((row) => row.id).sort())
  assert.ok(many.results.every((row) => row.properties.city === 'Ulm'))
})

await check('upsert by e-mail tells new from known', async () => {
  const input = (address) => ({
    id: address, idProperty: 'email', properties: { email: address, jobtitle: 'Buyer' },
  })
  const answer = await contacts.batchApi.upsert(
    { inputs: [input(email('person7')), input(email('brandnew'))] })
  assert.deepEqual(answer.results.map((row) => row._new ?? row.new).sort(), [false, true])
})

await check('search with filters, a sort and several pages', async () => {
  await control('time', { advance_ms: 3_000 })
  const seen = []
  let after = '0'
  while (after) {
    const page = await contacts.searchApi.doSearch({
      filterGroups: [{
        filters: [
          { propertyName: 'lastname', operator: 'EQ', value: run },
          { propertyName: 'loyalty_points', operator: 'GTE', value: '10' },
        ],
      }],
      sorts: ['-loyalty_points'],
      properties: ['loyalty_points'],
      limit: 100,
      after,
    })
    assert.equal(page.total, 270)
    seen.push(...page.results.map((row) => Number(row.properties.loyalty_points)))
    after = page.paging?.next?.after
    await control('time', { advance_ms: 300 })
  }
  assert.equal(seen.length, 270)
  assert.ok(seen.every((points, at) => at === 0 || points <= seen[at - 1]))
})

await check('search between two moments', async () => {
  const page = await contacts.searchApi.doSearch({
    filterGroups: [{
      filters: [{
        propertyName: 'lastmodifieddate', operator: 'BETWEEN', value: '0',
        highValue: String(Date.now() + 86_400_000),
      }],
    }],
    sorts: ['hs_object_id'], properties: [], limit: 200, after: '0',
  })
  assert.equal(page.results.length, 200)
  assert.ok(page.results[0].properties.lastmodifieddate)
})

await check('a search beyond the cap is refused', async () => {
  const { status } = await refusal(contacts.searchApi.doSearch(
    { filterGroups: [], sorts: [], properties: [], limit: 200, after: '9900' }))
  assert.equal(status, 400)
})

await check('properties, one and all, and a new one', async () => {
  const all = await hubspot.crm.properties.coreApi.getAll('contacts')
  const stage = all.results.find((one) => one.name === 'lifecyclestage')
  assert.equal(stage.options[0].value, 'subscriber')
  assert.equal(stage.modificationMetadata.readOnlyValue, false)
  const name = `made_${run}`
  const made = await hubspot.crm.properties.coreApi.create('contacts', {
    name, label: 'Made', type: 'string', fieldType: 'text', groupName: 'contactinformation',
  })
  assert.equal(made.name, name)
  const one = await hubspot.crm.properties.coreApi.getByName('contacts', name)
  assert.equal(one.hubspotDefined, false)
  const groups = await hubspot.crm.properties.groupsApi.getAll('contacts')
  assert.ok(groups.results.some((one) => one.name === 'contactinformation'))
})

await check('pipelines and stages', async () => {
  const all = await hubspot.crm.pipelines.pipelinesApi.getAll('deals')
  assert.deepEqual(all.results.map((one) => one.label), ['Sales Pipeline', 'Renewals'])
  const one = await hubspot.crm.pipelines.pipelinesApi.getById('deals', 'default')
  assert.equal(one.stages.find((stage) => stage.id === 'closedwon').metadata.isClosed, 'true')
})

await check('owners page by page, archived ones apart', async () => {
  const api = hubspot.crm.owners.ownersApi
  const first = await api.getPage(undefined, undefined, 2)
  const rest = await api.getPage(undefined, first.paging.next.after, 2)
  assert.equal(first.results.length + rest.results.length, 3)
  assert.equal((await api.getPage(first.results[0].email)).results.length, 1)
  const gone = await api.getPage(undefined, undefined, 100, true)
  assert.equal(gone.results.length, 1)
})

await check('the custom object and its schema', async () => {
  const schemas = await hubspot.crm.schemas.coreApi.getAll()
  const schema = schemas.results[0]
  const made = await objects.basicApi.create(
    schema.fullyQualifiedName, { properties: { subscription_name: 'Team' }, associations: [] })
  const read = await objects.basicApi.getById(
    schema.objectTypeId, made.id, ['subscription_name'])
  assert.equal(read.properties.subscription_name, 'Team')
})

await check('associations: labelled, default, batch read, archive', async () => {
  const company = await companies.basicApi.create(
    { properties: { name: 'Acme', website: 'https://www.acme.test/about' }, associations: [] })
  assert.equal(company.properties.domain, 'acme.test')
  const deal = await deals.basicApi.create({
    properties: { dealname: 'One', dealstage: 'qualifiedtobuy', amount: '10.50' },
    associations: [{ to: { id: company.id }, types: [link('HUBSPOT_DEFINED', 5)] }],
  })
  const v4 = hubspot.crm.associations.v4
  const some = made.slice(0, 5)
  await v4.batchApi.createDefault('contacts', 'companies',
    { inputs: some.map((id) => ({ _from: { id }, to: { id: company.id } })) })
  const labelled = await v4.batchApi.create('deals', 'contacts', {
    inputs: some.map((id) => ({
      _from: { id: deal.id }, to: { id }, types: [link('USER_DEFINED', 36)],
    })),
  })
  assert.deepEqual(labelled.results[0].labels, ['Decision maker'])
  const read = await v4.batchApi.getPage(
    'companies', 'contacts', { inputs: [{ id: company.id }] })
  assert.equal(read.results[0].to.length, 5)
  const page = await v4.basicApi.getPage('deals', deal.id, 'companies')
  assert.ok(page.results[0].associationTypes.some((one) => one.label === 'Primary'))
  await v4.basicApi.archive('deals', deal.id, 'companies', company.id)
  await v4.batchApi.archive('deals', 'contacts',
    { inputs: [{ _from: { id: deal.id }, to: some.map((id) => ({ id })) }] })
  const left = await v4.basicApi.getPage('deals', deal.id, 'contacts')
  assert.equal(left.results.length, 0)
  const contact = await contacts.basicApi.getById(
    some[0], ['associatedcompanyid'], undefined, ['companies'])
  assert.equal(contact.properties.associatedcompanyid, company.id)
  assert.equal(contact.associations.companies.results[0].id, company.id)
})

await check('archive one and many; a merge gives a new id', async () => {
  await contacts.basicApi.archive(made[20])
  await contacts.batchApi.archive({ inputs: made.slice(21, 25).map((id) => ({ id })) })
  const { status } = await refusal(contacts.basicApi.getById(made[21]))
  assert.equal(status, 404)
  const gone = await contacts.basicApi.getPage(
    100, undefined, undefined, undefined, undefined, true)
  assert.ok(gone.results.length >= 5 && gone.results[0].archivedAt instanceof Date)
  const merged = await contacts.basicApi.merge(
    { primaryObjectId: made[30], objectIdToMerge: made[31] })
  assert.ok(![made[30], made[31]].includes(merged.id))
  const old = await contacts.basicApi.getById(made[31])
  assert.equal(old.id, merged.id)
})

await check('the client outlasts a secondly 429 on search', async () => {
  const before = await control('counters')
  await control('options', { search_per_second: 1 })
  try {
    const body = { filterGroups: [], sorts: [], properties: [], limit: 1, after: '0' }
    const pages = await Promise.all(
      [0, 1].map(() => contacts.searchApi.doSearch(body)))
    assert.ok(pages.every((page) => page.total > 0))
  } finally {
    await control('options', { search_per_second: 5 })
  }
  const after = await control('counters')
  assert.ok(after.rate_limited > before.rate_limited)
})

await check('a burst 429 carries its policy and the headers', async () => {
  await control('time', { advance_ms: 11_000 })
  await control('options', { burst_limit: 1 })
  try {
    const client = impatient().crm.contacts.basicApi
    await client.getPage(1)
    const { status, body } = await refusal(client.getPage(1))
    assert.equal(status, 429)
    assert.equal(body.policyName, 'TEN_SECONDLY_ROLLING')
  } finally {
    await control('options', { burst_limit: 190 })
    await control('time', { advance_ms: 11_000 })
  }
})

await check('OAuth: a refresh, a call with the new token, its expiry', async () => {
  const client = new Client({ basePath: url })
  const id = process.env.SIM_HUBSPOT_CLIENT_ID ?? '11111111-2222-4333-8444-555555555555'
  const secret = process.env.SIM_HUBSPOT_CLIENT_SECRET ?? '99999999-8888-4777-8666-555555555555'
  const refresh = process.env.SIM_HUBSPOT_REFRESH_TOKEN ?? 'na1-sim-refresh-token'
  const refreshed = await client.oauth.tokensApi.create(
    'refresh_token', undefined, undefined, id, secret, refresh)
  assert.equal(refreshed.expiresIn, 1800)
  client.setAccessToken(refreshed.accessToken)
  assert.equal((await client.crm.contacts.basicApi.getPage(1)).results.length, 1)
  await control('time', { advance_ms: 1_801_000 })
  const { status, body } = await refusal(client.crm.contacts.basicApi.getPage(1))
  assert.equal(status, 401)
  assert.equal(body.category, 'EXPIRED_AUTHENTICATION')
  const bad = await refusal(client.oauth.tokensApi.create(
    'refresh_token', undefined, undefined, id, secret, 'dead'))
  assert.equal(bad.status, 400)
  assert.equal(bad.body.status, 'BAD_REFRESH_TOKEN')
})

console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
