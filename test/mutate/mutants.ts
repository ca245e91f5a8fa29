// The small changes that could break a file: another operator or constant, a call or branch left out.

import * as ts from "typescript/unstable/ast";

/** One change: the characters from `start` to `end` become `text`. */
export interface Mutant {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** An operator becomes the other one of its pair. */
const PAIRS = ["<", "<=", ">", ">=", "===", "!==", "&&", "||", "+", "-", "*", "/", "+=", "-="]
  .concat(["++", "--"]);
const otherOf = (operator: string) =>
  PAIRS.includes(operator) ? PAIRS[PAIRS.indexOf(operator) ^ 1] : undefined;

/** What parts of a SQL statement become. */
const SQL: [was: RegExp, other: string][] = [[/ AND /g, " OR "], [/ \+ /g, " - "], [
  / UNIQUE| NOT NULL| DESC/g,
  "",
]];

/** What a regular expression becomes: without an anchor or a flag, with a bound one higher. */
function expressions(text: string): string[] {
  const end = text.lastIndexOf("/");
  const [body, flags] = [text.slice(1, end), text.slice(end + 1)];
  const bodies = [
    body.replace(/^\^/, ""),
    body.replace(/(?<!\\)\$$/, ""),
    body.replace(/(?<=[\w\])}])\+/, "*"),
    body.replace(/(\d+)\}/, (_, most) => `${Number(most) + 1}}`),
    body.replace(/\\b/, ""),
  ].filter((other) => other !== body && other !== "");
  const without = [...flags].map((flag) => `/${body}/${flags.replace(flag, "")}`);
  return [...bodies.map((other) => `/${other}/${flags}`), ...without];
}

/** All mutants of a file, in its order. */
export function mutantsOf(file: ts.SourceFile): Mutant[] {
  const mutants: Mutant[] = [];
  const textOf = (node: ts.Node) => file.text.slice(node.getStart(file), node.end);
  const put = (node: ts.Node, text: string) =>
    mutants.push({ start: node.getStart(file), end: node.end, text });
  /** Leaves out each of these. A comma may stay at the end of a list. */
  const leaveOut = (nodes: readonly ts.Node[]) =>
    nodes.forEach((node, i) => {
      const end = nodes[i + 1]?.getStart(file) ?? node.end;
      mutants.push({ start: node.getStart(file), end, text: "" });
    });
  /** The condition is never true, or always. Unlike a constant, this keeps what the types know. */
  const decide = (condition: ts.Node, isLoop = false) => {
    put(condition, `(${textOf(condition)}) && Boolean(0)`);
    if (!isLoop) put(condition, `(${textOf(condition)}) || Boolean(1)`);
  };
  const statement = (node: ts.Node) => {
    for (const [was, other] of SQL) {
      for (const { index, 0: { length } } of textOf(node).matchAll(was)) {
        const start = node.getStart(file) + index;
        mutants.push({ start, end: start + length, text: other });
      }
    }
  };

  function visit(node: ts.Node): void {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return;
    if (ts.isIfStatement(node)) decide(node.expression);
    else if (ts.isWhileStatement(node)) decide(node.expression, true);
    else if (ts.isConditionalExpression(node)) decide(node.condition);
    else if (ts.isBinaryExpression(node)) {
      const other = otherOf(textOf(node.operatorToken));
      if (other !== undefined) put(node.operatorToken, other);
      if (textOf(node.operatorToken) === "??") put(node, textOf(node.left));
    } else if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
      const { operand } = node;
      const operator = textOf(node).replace(textOf(operand), "");
      const other = operator === "!" ? "" : otherOf(operator);
      if (other !== undefined) put(node, textOf(node).replace(operator, other));
    } else if (ts.isNumericLiteral(node)) {
      const value = Number(node.text);
      put(node, `${value < 1000 ? value + 1 : value * 2}`);
    } else if (
      ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isTemplateExpression(node)
    ) {
      const isName = ts.isPropertyAssignment(node.parent) && node.parent.name === node;
      if (textOf(node).length > 2 && !isName) put(node, '""');
      if (/\b(SELECT|UPDATE|DELETE|CREATE|WHERE) /.test(textOf(node))) statement(node);
    } else if (ts.isRegularExpressionLiteral(node)) {
      for (const text of expressions(node.text)) put(node, text);
    } else if (ts.isAwaitExpression(node)) put(node, textOf(node.expression));
    else if (ts.isObjectLiteralExpression(node)) leaveOut(node.properties);
    else if (ts.isArrayLiteralExpression(node)) leaveOut(node.elements);
    else if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      leaveOut(node.arguments?.slice(-1) ?? []);
    } else if (
      ts.isExpressionStatement(node) || ts.isThrowStatement(node) ||
      ts.isBreakOrContinueStatement(node) ||
      ts.isReturnStatement(node) && node.expression === undefined
    ) put(node, ";");
    else if (node.kind === ts.SyntaxKind.TrueKeyword) put(node, "false");
    else if (node.kind === ts.SyntaxKind.FalseKeyword) put(node, "true");
    node.forEachChild(visit);
  }
  visit(file);
  return mutants;
}
