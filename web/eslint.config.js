// ESLint: type-aware rules, hooks, accessibility.
import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
    globalIgnores(['**/dist/', '**/node_modules/', 'shared/src/api/schema.d.ts', 'test-results/']),
    js.configs.recommended,
    { files: ['**/*.{js,mjs}'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
    {
        files: ['**/*.{ts,tsx}'],
        extends: [
            tseslint.configs.recommendedTypeChecked,
            reactHooks.configs.flat.recommended,
            jsxA11y.flatConfigs.recommended,
        ],
        languageOptions: { globals: globals.browser, parserOptions: { projectService: true } },
        rules: {
            '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
            // A scrolling region must be reachable by keyboard.
            'jsx-a11y/no-noninteractive-tabindex': ['error', { roles: ['region', 'tabpanel'], tags: [] }],
            // Warns of a library that the React compiler, which is not used here, could not memoize.
            'react-hooks/incompatible-library': 'off',
            '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
        },
    },
);
