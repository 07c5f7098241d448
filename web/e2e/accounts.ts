// The accounts of the demo data; see tools/demo.py.
export const ADMIN = 'admin@example.com';
export const CUSTOMER = 'customer@example.com';
export const PASSWORD = 'demo-password-2026';
