// Reads [{language: "logql" | "promql", expr}] as JSON and writes, for each, what a grammar finds in it.
import { readFileSync } from "node:fs";
import { parser as logql } from "@grafana/lezer-logql";
import { parser as promql } from "@prometheus-io/lezer-promql";

const parsers = { logql, promql };

function found({ language, expr }) {
  const names = { Identifier: [], String: [], LineFilter: [] };
  const errors = [];
  parsers[language].parse(expr).iterate({
    enter(node) {
      const text = expr.slice(node.from, node.to);
      if (node.type.isError) errors.push(`at ${node.from}: ${expr.slice(Math.max(0, node.from - 20), node.to + 20)}`);
      names[node.name]?.push(text);
    },
  });
  return { errors, identifiers: names.Identifier, strings: names.String, lineFilters: names.LineFilter };
}

const asked = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(asked.map(found)));
