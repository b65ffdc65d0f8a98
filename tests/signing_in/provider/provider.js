// A real OpenID Connect provider (oidc-provider, certified by the OpenID Foundation) on a loopback port.
// Its settings come as one JSON document on standard input; when ready it prints one line of JSON.
// What its people are, tests change by POST /people while it runs.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const given = JSON.parse(readFileSync(0, "utf8"));
let people = given.people;

const configuration = {
  clients: given.clients,
  jwks: { keys: given.keys },
  cookies: { keys: ["only for tests"] },
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["preferred_username", "given_name", "family_name"],
    groups: ["groups"],
  },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  async findAccount(ctx, id) {
    return people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) };
  },
};

const issuer = `http://127.0.0.1:${given.port}`;
const provider = new Provider(issuer, configuration);
provider.use(async (ctx, next) => {
  if (ctx.method === "POST" && ctx.path === "/people") {
    const parts = [];
    for await (const part of ctx.req) {
      parts.push(part);
    }
    people = JSON.parse(Buffer.concat(parts).toString());
    ctx.status = 204;
    return;
  }
  await next();
});
provider.listen(given.port, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
