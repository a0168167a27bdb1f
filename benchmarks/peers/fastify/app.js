// The Node peer: Fastify with its JSON log, and pg with prepared statements. Frozen, see ../README.md.

import Fastify from "fastify";
import pg from "pg";

const MAX_INTEGER = 2 ** 31 - 1;

// bigint as a number; numeric stays the string that PostgreSQL sends, so no price becomes a float.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

const pool = new pg.Pool({
  host: process.env.DB_HOST ?? "127.0.0.1",
  port: Number(process.env.DB_PORT ?? 5432),
  database: process.env.DB_NAME ?? "goods",
  user: process.env.DB_USER ?? "goods",
  password: process.env.DB_PASSWORD,
  max: 20,
});

// Schemas

const fields = {
  sku: { type: "string", minLength: 1, maxLength: 64 },
  name: { type: "string", minLength: 1, maxLength: 200 },
  description: { type: "string", maxLength: 10000 },
  category: { type: "string", maxLength: 100 },
  price: { type: "string", pattern: "^\\d{1,10}(\\.\\d{1,2})?$" }, // a JSON number is coerced
  stock: { type: "integer", minimum: 0, maximum: MAX_INTEGER },
};

const goodIn = {
  type: "object",
  required: ["sku", "name", "price"],
  properties: {
    ...fields,
    description: { ...fields.description, default: "" },
    category: { ...fields.category, default: "" },
    stock: { ...fields.stock, default: 0 },
  },
};

const goodPatch = { type: "object", properties: fields };

const goodOut = {
  type: "object",
  properties: {
    id: { type: "integer" },
    sku: { type: "string" },
    name: { type: "string" },
    description: { type: "string" },
    category: { type: "string" },
    price: { type: "string" },
    stock: { type: "integer" },
    version: { type: "integer" },
    created_at: { type: "string", format: "date-time" },
    updated_at: { type: "string", format: "date-time" },
  },
};

const goodList = { type: "object", properties: { items: { type: "array", items: goodOut } } };

const params = {
  type: "object",
  properties: { id: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER } },
};

const sortKeys = ["id", "name", "price", "stock", "created_at", "updated_at"];

const filters = {
  type: "object",
  properties: {
    category: { type: "string" },
    min_price: fields.price,
    max_price: fields.price,
    in_stock: { type: "boolean" },
    sort: { type: "string", enum: sortKeys.flatMap((key) => [key, `-${key}`]), default: "id" },
    limit: { type: "integer", minimum: 1, maximum: 500, default: 50 },
    offset: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 },
  },
};

const stockChange = {
  type: "object",
  required: ["delta"],
  properties: { delta: { type: "integer", minimum: -MAX_INTEGER, maximum: MAX_INTEGER } },
};

// Statements: a name makes pg prepare each one once per connection.

const columns = "id, sku, name, description, category, price, stock, version, created_at, updated_at";

const statements = {
  read: `SELECT ${columns} FROM goods WHERE id = $1`,
  create: `INSERT INTO goods (sku, name, description, category, price, stock)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${columns}`,
  replace: `UPDATE goods SET sku = $2, name = $3, description = $4, category = $5, price = $6, stock = $7,
    version = version + 1, updated_at = now() WHERE id = $1 RETURNING ${columns}`,
  update: `UPDATE goods SET sku = coalesce($2, sku), name = coalesce($3, name),
    description = coalesce($4, description), category = coalesce($5, category),
    price = coalesce($6, price), stock = coalesce($7, stock),
    version = version + 1, updated_at = now() WHERE id = $1 RETURNING ${columns}`,
  remove: "DELETE FROM goods WHERE id = $1",
  stock: `UPDATE goods SET stock = stock + $2, version = version + 1, updated_at = now()
    WHERE id = $1 RETURNING ${columns}`,
};

const run = (name, values) => pool.query({ name, text: statements[name], values });

function listQuery({ category, min_price, max_price, in_stock, sort, limit, offset }) {
  const conditions = [];
  const values = [];
  const names = ["list", sort]; // a name of its own for each text
  const add = (name, condition, value) => {
    names.push(name);
    conditions.push(value === undefined ? condition : `${condition} $${values.push(value)}`);
  };
  if (category !== undefined) add("category", "category =", category);
  if (min_price !== undefined) add("min", "price >=", min_price);
  if (max_price !== undefined) add("max", "price <=", max_price);
  if (in_stock === true) add("in", "stock > 0");
  if (in_stock === false) add("out", "stock = 0");
  const where = conditions.length ? `WHERE ${conditions.join(" AND ")}` : "";
  const order = sort.startsWith("-") ? `${sort.slice(1)} DESC` : sort;
  const text = `SELECT ${columns} FROM goods ${where} ORDER BY ${order}, id
    LIMIT $${values.push(limit)} OFFSET $${values.push(offset)}`;
  return { name: names.join(" "), text, values };
}

// Routes

const app = Fastify({ logger: true });

pool.on("error", (error) => app.log.error(error, "idle connection lost"));

const fail = (statusCode, message) => Object.assign(new Error(message), { statusCode });

function oneGood(result) {
  if (result.rowCount === 0) throw fail(404, "No such good");
  return result.rows[0];
}

app.setErrorHandler((error, request, reply) => {
  if (error.code === "23505") return reply.send(fail(409, "This SKU is taken"));
  if (error.code === "23514" || error.code === "22003") return reply.send(fail(409, "Stock out of range"));
  return reply.send(error);
});

app.addHook("onClose", () => pool.end());

const valuesOf = (body) => [body.sku, body.name, body.description, body.category, body.price, body.stock];

app.post("/goods", { schema: { body: goodIn, response: { 201: goodOut } } }, async (request, reply) => {
  const result = await run("create", valuesOf(request.body));
  reply.code(201);
  return result.rows[0];
});

app.get("/goods", { schema: { querystring: filters, response: { 200: goodList } } }, async (request) => {
  const result = await pool.query(listQuery(request.query));
  return { items: result.rows };
});

app.get("/goods/:id", { schema: { params, response: { 200: goodOut } } }, async (request) =>
  oneGood(await run("read", [request.params.id])),
);

app.put("/goods/:id", { schema: { params, body: goodIn, response: { 200: goodOut } } }, async (request) =>
  oneGood(await run("replace", [request.params.id, ...valuesOf(request.body)])),
);

app.patch("/goods/:id", { schema: { params, body: goodPatch, response: { 200: goodOut } } }, async (request) =>
  oneGood(await run("update", [request.params.id, ...valuesOf(request.body)])),
);

app.delete("/goods/:id", { schema: { params } }, async (request, reply) => {
  const result = await run("remove", [request.params.id]);
  if (result.rowCount === 0) throw fail(404, "No such good");
  return reply.code(204).send();
});

app.post("/goods/:id/stock", { schema: { params, body: stockChange, response: { 200: goodOut } } }, async (request) =>
  oneGood(await run("stock", [request.params.id, request.body.delta])),
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => app.close());

await app.listen({ host: process.env.HOST ?? "127.0.0.1", port: Number(process.env.PORT ?? 8000) });
