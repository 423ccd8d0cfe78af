// Drives a running Salesforce simulator with the vendor's own client for Node. Where the client
// stumbles, the simulator is wrong.
//
// Environment: SIM_SALESFORCE_URL, SIM_SALESFORCE_TOKEN, SIM_SALESFORCE_CLIENT_ID,
// SIM_SALESFORCE_CLIENT_SECRET.

import assert from 'node:assert/strict';
import jsforce from 'jsforce';

const need = (name) => {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(1);
  }
  return value;
};

const url = need('SIM_SALESFORCE_URL');
const clientId = need('SIM_SALESFORCE_CLIENT_ID');
const clientSecret = need('SIM_SALESFORCE_CLIENT_SECRET');
const token = need('SIM_SALESFORCE_TOKEN');
const version = '67.0';
// Values of an earlier run against the same simulator must not get in the way.
const run = Date.now().toString(36);

const counts = { passed: 0, failed: 0 };
const check = async (name, act) => {
  try {
    await act();
    counts.passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    counts.failed += 1;
    console.log(`FAIL  ${name}: ${error.stack ?? error}`);
  }
};
const control = async (path, body) => {
  const init = body && { method: 'POST', body: JSON.stringify(body) };
  const reply = await fetch(`${url}/_sim/${path}`, init);
  assert.equal(reply.status, 200);
  return reply.json();
};
const chunks = (list, size) =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, at) =>
    list.slice(at * size, at * size + size));

const oauth2 = { loginUrl: url, clientId, clientSecret, redirectUri: 'http://localhost/callback' };
const conn = new jsforce.Connection({ oauth2, version });
const PEOPLE = 4300;

await check('client credentials give a token and the identity', async () => {
  const user = await conn.authorize({ grant_type: 'client_credentials' });
  assert.equal(conn.instanceUrl, url);
  assert.match(user.id, /^005.{15}$/);
  assert.match(user.organizationId, /^00D.{15}$/);
  const identity = await conn.identity();
  assert.equal(identity.user_id, user.id);
});

await check('a wrong secret is refused by name', async () => {
  const other = new jsforce.Connection({
    oauth2: { loginUrl: url, clientId, clientSecret: 'wrong' },
    version,
  });
  await assert.rejects(other.authorize({ grant_type: 'client_credentials' }), /invalid_client|client/);
});

await check('a printed token opens a connection', async () => {
  const plain = new jsforce.Connection({ instanceUrl: url, accessToken: token, version });
  const result = await plain.query('SELECT Id, Name FROM Organization');
  assert.equal(result.totalSize, 1);
});

await check('describe global and object', async () => {
  const global = await conn.describeGlobal();
  assert.ok(global.sobjects.some((one) => one.name === 'Contact' && one.keyPrefix === '003'));
  const contact = await conn.sobject('Contact').describe();
  const last = contact.fields.find((field) => field.name === 'LastName');
  assert.equal(last.nillable, false);
  assert.equal(last.length, 80);
  const deal = await conn.describe('Opportunity');
  assert.deepEqual(
    deal.recordTypeInfos.map((info) => info.developerName),
    ['Master', 'New_Business', 'Renewal']);
});

const created = [];
await check(`create ${PEOPLE} records in collections`, async () => {
  const people = Array.from({ length: PEOPLE }, (_, at) => ({
    LastName: `Paged ${run} ${String(at).padStart(5, '0')}`,
    Email: `p${at}.${run}@example.com`,
  }));
  for (const part of chunks(people, 200)) {
    const results = await conn.sobject('Contact').create(part);
    assert.ok(results.every((result) => result.success));
    created.push(...results.map((result) => result.id));
  }
  assert.equal(new Set(created).size, PEOPLE);
});

await check('query pages to the end with queryMore', async () => {
  const soql = `SELECT Id, LastName, Owner.Email FROM Contact
    WHERE LastName LIKE 'Paged ${run}%' ORDER BY Id`;
  let result = await conn.query(soql);
  assert.equal(result.totalSize, PEOPLE);
  const seen = [...result.records];
  while (!result.done) {
    result = await conn.queryMore(result.nextRecordsUrl);
    seen.push(...result.records);
  }
  assert.deepEqual(seen.map((record) => record.Id), created);
  assert.equal(seen[0].attributes.type, 'Contact');
});

await check('autoFetch walks the same pages', async () => {
  const result = await conn.query(
    `SELECT Id FROM Contact WHERE LastName LIKE 'Paged ${run}%'`,
    { autoFetch: true, maxFetch: 10000 });
  assert.equal(result.records.length, PEOPLE);
});

await check('the query builder speaks the dialect', async () => {
  const found = await conn.sobject('Contact')
    .find({ Email: { $in: [`p1.${run}@example.com`, `p2.${run}@example.com`] } }, 'Id, Email')
    .sort({ Email: -1 })
    .limit(5);
  assert.deepEqual(found.map((one) => one.Email), [
    `p2.${run}@example.com`, `p1.${run}@example.com`]);
  const dated = await conn.sobject('Contact')
    .find({ CreatedDate: { $gte: jsforce.SfDate.toDateTimeLiteral('2020-01-01T00:00:00Z') } }, 'Id')
    .limit(1);
  assert.equal(dated.length, 1);
  assert.equal(await conn.sobject('Contact').count({ Id: created[0] }), 1);
});

await check('a collection keeps good records when one is bad', async () => {
  const results = await conn.sobject('Account').create([
    { Name: `Good ${run}` }, { Website: 'no name' }, { Name: `Also good ${run}` },
  ]);
  assert.deepEqual(results.map((result) => result.success), [true, false, true]);
  assert.equal(results[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  assert.deepEqual(results[1].errors[0].fields, ['Name']);
});

await check('all or none saves nothing', async () => {
  const name = `None ${run}`;
  const results = await conn.sobject('Account')
    .create([{ Name: name }, { Website: 'no name' }], { allOrNone: true });
  assert.equal(results[0].errors[0].statusCode, 'ALL_OR_NONE_OPERATION_ROLLED_BACK');
  assert.equal(await conn.sobject('Account').count({ Name: name }), 0);
});

await check('update collections with a partial failure', async () => {
  const results = await conn.sobject('Contact').update([
    { Id: created[0], Title: 'Captain' },
    { Id: created[1], Email: 'nonsense' },
    { Id: created[2], Title: null },
  ]);
  assert.deepEqual(results.map((result) => result.success), [true, false, true]);
  assert.equal(results[1].errors[0].statusCode, 'INVALID_EMAIL_ADDRESS');
});

await check('upsert by external id, single and in collections', async () => {
  const key = 'Tandem_Link_Id__c';
  const one = { [key]: `k:${run}:1`, LastName: 'Upserted' };
  const first = await conn.sobject('Contact').upsert(one, key);
  assert.equal(first.created, true);
  const again = await conn.sobject('Contact').upsert({ ...one, Title: 'Twice' }, key);
  assert.equal(again.created, false);
  const many = await conn.sobject('Contact').upsert([
    { [key]: `k:${run}:1`, LastName: 'Updated' },
    { [key]: `k:${run}:2`, LastName: 'Created' },
    { [key]: `k:${run}:3` },
  ], key);
  assert.deepEqual(many.map((result) => [result.success, result.created]), [
    [true, false], [true, true], [false, undefined]]);
});

await check('retrieve keeps the order', async () => {
  const ids = [created[7], created[3], created[5]];
  const rows = await conn.sobject('Contact').retrieve(ids);
  assert.deepEqual(rows.map((row) => row.Id), ids);
  const missing = await conn.request({
    method: 'POST',
    url: `/services/data/v${version}/composite/sobjects/Contact`,
    body: JSON.stringify({ ids: [created[7], '003000000000000AAA'], fields: ['LastName'] }),
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(missing.length, 2);
  assert.equal(missing[1], null);
});

await check('one record through its whole life', async () => {
  const lead = conn.sobject('Lead');
  const { id, success } = await lead.create({ LastName: `Life ${run}`, Company: 'Acme' });
  assert.ok(success);
  await lead.update({ Id: id, Rating: 'Hot', AnnualRevenue: 1250000 });
  const row = await lead.retrieve(id);
  assert.equal(row.Rating, 'Hot');
  assert.equal(row.Status, 'Open - Not Contacted');
  assert.match(row.SystemModstamp, /\.000\+0000$/);
  await lead.destroy(id);
  await assert.rejects(lead.retrieve(id), { errorCode: 'ENTITY_IS_DELETED' });
  const all = await conn.query(
    `SELECT Id, IsDeleted FROM Lead WHERE Id = '${id}'`, { scanAll: true });
  assert.equal(all.records[0].IsDeleted, true);
  assert.equal((await conn.query(`SELECT Id FROM Lead WHERE Id = '${id}'`)).totalSize, 0);
});

await check('delete collections, with an id that is gone', async () => {
  const results = await conn.sobject('Contact').destroy([created[10], created[11]]);
  assert.ok(results.every((result) => result.success));
  const again = await conn.sobject('Contact').destroy([created[10], created[12]]);
  assert.equal(again[0].errors[0].statusCode, 'ENTITY_IS_DELETED');
  assert.equal(again[1].success, true);
});

await check('contact roles are made, found by contact and role, and deleted', async () => {
  const deal = await conn.sobject('Opportunity').create(
    { Name: `Roles ${run}`, StageName: 'Prospecting', CloseDate: '2027-01-31' });
  const roles = conn.sobject('OpportunityContactRole');
  const row = (contact, Role) => ({ OpportunityId: deal.id, ContactId: contact, Role });
  const made = await roles.create([
    row(created[20], 'Decision Maker'), row(created[21], 'Evaluator'), { Role: 'Evaluator' }]);
  assert.deepEqual(made.map((one) => one.success), [true, true, false]);
  assert.equal(made[2].errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  const held = await conn.query(
    `SELECT Id, ContactId, OpportunityId, Role FROM OpportunityContactRole
     WHERE ContactId IN ('${created[20]}', '${created[21]}') AND Role IN ('decision maker')`);
  assert.deepEqual(held.records.map((one) => one.ContactId), [created[20]]);
  assert.ok((await roles.destroy(made.slice(0, 2).map((one) => one.id))).every((one) => one.success));
});

await check('errors carry the code of the platform', async () => {
  const refused = { errorCode: 'INVALID_FIELD' };
  await assert.rejects(conn.query('SELECT Nope FROM Contact'), refused);
  await assert.rejects(conn.sobject('Contact').create({ LastName: 'x', Nope: 1 }), refused);
  await assert.rejects(conn.query('SELECT FROM'), { errorCode: 'MALFORMED_QUERY' });
});

await check('limits, and the use in every reply', async () => {
  const limits = await conn.limits();
  const { Max, Remaining } = limits.DailyApiRequests;
  assert.ok(Remaining < Max);
  assert.ok(conn.limitInfo.apiUsage.used > 0);
  assert.equal(conn.limitInfo.apiUsage.limit, Max);
});

await check('an expired token is renewed once and the call repeated', async () => {
  let renewals = 0;
  const renewing = new jsforce.Connection({
    instanceUrl: url, accessToken: conn.accessToken, version,
    refreshFn: (_, done) => {
      renewals += 1;
      const fresh = new jsforce.Connection({ oauth2, version });
      fresh.authorize({ grant_type: 'client_credentials' })
        .then(() => done(null, fresh.accessToken), done);
    },
  });
  await renewing.limits();
  await conn.oauth2.revokeToken(conn.accessToken);
  const result = await renewing.query('SELECT Id FROM User');
  assert.ok(result.totalSize >= 4);
  assert.equal(renewals, 1);
});

await check('a refresh token renews by itself', async () => {
  const web = new jsforce.Connection({ oauth2, version });
  await web.authorize('sim-authorization-code==');
  assert.ok(web.refreshToken);
  await web.oauth2.revokeToken(web.accessToken);
  assert.ok((await web.query('SELECT Id FROM User LIMIT 1')).done);
});

await check('a spent allowance refuses calls', async () => {
  const spent = new jsforce.Connection({ oauth2, version });
  await spent.authorize({ grant_type: 'client_credentials' });
  await control('options', { daily_limit: 1 });
  await assert.rejects(spent.limits(), { errorCode: 'REQUEST_LIMIT_EXCEEDED' });
  await control('options', { daily_limit: 100000 });
  assert.ok(await spent.limits());
});

console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);
