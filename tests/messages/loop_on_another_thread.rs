//~ ERROR 8: cannot be sent between threads safely
//~ NOTE: required because it appears within the type `IOLoop`

use squall::IOLoop;

fn main() {
    let io_loop = IOLoop::current();
    std::thread::spawn(move || io_loop.stop());
}
