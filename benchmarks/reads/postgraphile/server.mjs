// PostGraphile on Node's own HTTP server, as its documentation shows it: one process, no GraphiQL, no websockets, no watching.
// DATABASE_URL and POOL_SIZE come from the environment, and the port is the argument.
import { createServer } from "node:http";

import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const { DATABASE_URL, POOL_SIZE } = process.env;
const port = Number(process.argv[2]);

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({ connectionString: DATABASE_URL, schemas: ["reads"], poolConfig: { max: Number(POOL_SIZE) } }),
  ],
  grafserv: { graphiql: false, graphqlOverGET: false, watch: false, websockets: false },
  grafast: { explain: false },
};

const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
const pgl = postgraphile(preset);
const serv = pgl.createServ(grafserv);
await serv.addTo(server);
await pgl.getSchema();
server.listen(port, "127.0.0.1");
