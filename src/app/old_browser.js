document.documentElement.setAttribute('data-stopped', 'wasm');
