"""The engines that find and describe faces, apart from the tasks that use them."""
