// Formatting of everything under web/.
export default { singleQuote: true, printWidth: 120, trailingComma: 'all' };
